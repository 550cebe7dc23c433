/* SPDX-License-Identifier: MIT */
#include "stacks/report.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "host/host.h"
#include "stacks/fork.h"
#include "stacks/name.h"
#include "stacks/stacks.h"
#include "text/number.h"

/* Writes the report of an overflow, with a call for it all, so that it stays whole. */

/* The longest report: the words, two names and six numbers. */
struct report {
	char text[512];
	size_t length;
};

static void put(struct report *report, const char *words)
{
	const size_t room = sizeof(report->text) - report->length;
	const size_t length = vmsi_min(strlen(words), room);

	memcpy(report->text + report->length, words, length);
	report->length += length;
}

static void put_number(struct report *report, uint64_t number)
{
	struct vmsi_digits digits;

	put(report, vmsi_write_digits(&digits, number, 10));
}

static void put_address(struct report *report, const char *words,
			uintptr_t address)
{
	struct vmsi_digits digits;

	put(report, words);
	put(report, "0x");
	put(report, vmsi_write_digits(&digits, address, 16));
}

static void put_quoted(struct report *report, const char *words, const char *name)
{
	put(report, words);
	put(report, "\"");
	put(report, name);
	put(report, "\"");
}

/* stack 17 "reader" of pool "workers" */
static void put_stack(struct report *report, struct vms_stacks *stacks,
		      size_t number)
{
	char name[VMS_STACK_NAME_MAX + 1];

	put(report, "stack ");
	put_number(report, number);
	vmsi_stack_get_name(stacks, number, name);
	if (name[0])
		put_quoted(report, " ", name);
	put_quoted(report, " of pool ", stacks->name);
	if (vmsi_slot_state(atomic_load(&stacks->slots[number].state)) !=
	    SLOT_TAKEN)
		put(report, ", which nobody has");
}

/*
 * Where the thread's stack pointer is elsewhere, it may have been another stack's frame
 * that reached over the end, or one of this stack that is larger than the guard.
 */
static bool is_on(const vms_stack *stack, const struct vms_stacks *stacks,
		  uintptr_t pointer)
{
	return pointer >= (uintptr_t)stack->base - stacks->guard &&
		pointer <= (uintptr_t)stack->top;
}

static void put_all(struct report *report, struct vms_stacks *stacks,
		    const vms_stack *stack, uintptr_t address, uintptr_t pointer)
{
	put(report, "libvmspace: ");
	put(report, is_on(stack, stacks, pointer) ?
			    "stack overflow: " :
			    "the guard of a stack was touched: ");
	put_stack(report, stacks, stack->number);
	put(report, ", ");
	put_number(report, (uintptr_t)stack->top - address);
	put(report, " bytes deep of ");
	put_number(report, stack->size);
	put_address(report, ", at address ", address);
	put_address(report, ", stack pointer ", pointer);
	put(report, "\n");
}

/* What a write that fails may send, but for what is pending already. */
static void signals_of_write(sigset_t *signals)
{
	static const int sent[] = { SIGPIPE, SIGXFSZ };
	sigset_t pending;

	(void)sigemptyset(signals);
	if (vmsi_host.pending_signals(&pending) != 0)
		return;
	for (size_t i = 0; i < sizeof(sent) / sizeof(*sent); i++)
		if (sigismember(&pending, sent[i]) == 0)
			(void)sigaddset(signals, sent[i]);
}

/*
 * The signal would end the program, or interrupt a handler that knows what to do. All
 * signals are blocked here, so it waits, and is taken.
 */
static void write_out(const struct report *report)
{
	sigset_t signals;

	signals_of_write(&signals);
	if (vmsi_host.write(STDERR_FILENO, report->text, report->length) < 0)
		(void)vmsi_host.take_signal(&signals);
}

void vmsi_stacks_report(uintptr_t address, uintptr_t pointer)
{
	struct vms_stacks *stacks = vmsi_stacks_of(address);
	struct report report = { .length = 0 };
	vms_stack stack;
	size_t number;

	if (!stacks || !vmsi_slot_at(stacks, address, &number) ||
	    address >= vmsi_slot_base(stacks, number))
		return;
	vmsi_slot_describe(stacks, number, &stack);
	put_all(&report, stacks, &stack, address, pointer);
	write_out(&report);
}
