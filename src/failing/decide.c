/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>

#include "failing/parts.h"

static struct vmsi_failing_memory *shared;

/*
 * How many calls of this thread are inside of this library or of the malloc behind
 * it: allocations that these make do not count.
 */
static __thread unsigned inside __attribute__((tls_model("initial-exec")));

void vmsi_failing_enter(void)
{
	inside++;
}

void vmsi_failing_leave(void)
{
	inside--;
}

void vmsi_failing_begin(struct vmsi_failing_memory *memory)
{
	__atomic_store_n(&memory->outcome.began, 1, __ATOMIC_RELAXED);
	__atomic_store_n(&shared, memory, __ATOMIC_RELEASE);
}

static uint64_t add(uint64_t *number)
{
	return __atomic_add_fetch(number, 1, __ATOMIC_RELAXED);
}

/* --- the table of stacks --------------------------------------------------------- */

static void lower(uint64_t *least, uint64_t number)
{
	uint64_t seen = __atomic_load_n(least, __ATOMIC_RELAXED);

	while (number < seen &&
	       !__atomic_compare_exchange_n(least, &seen, number, false,
					    __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

static void raise_to(uint64_t *most, uint64_t number)
{
	uint64_t seen = __atomic_load_n(most, __ATOMIC_RELAXED);

	while (number > seen &&
	       !__atomic_compare_exchange_n(most, &seen, number, false,
					    __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

/*
 * The slot of a stack. Who takes a free one by writing the hash fills it in; others
 * count in it meanwhile. NULL: all are taken.
 */
static struct vmsi_failing_stack *
find_slot(struct vmsi_failing_memory *memory, uint64_t hash, bool *taken)
{
	for (uint64_t i = 0; i < VMSI_FAILING_STACKS; i++) {
		struct vmsi_failing_stack *slot =
			&memory->stacks[(hash + i) % VMSI_FAILING_STACKS];
		uint64_t seen = 0;

		*taken = __atomic_compare_exchange_n(&slot->hash, &seen, hash,
						     false, __ATOMIC_RELAXED,
						     __ATOMIC_RELAXED);
		if (*taken || seen == hash)
			return slot;
	}
	return NULL;
}

static void fill_in(struct vmsi_failing_stack *slot,
		    const struct vmsi_failing_stack *stack)
{
	slot->function = stack->function;
	slot->count = stack->count;
	for (unsigned i = 0; i < stack->count; i++)
		slot->frames[i] = stack->frames[i];
	__atomic_store_n(&slot->ready, 1, __ATOMIC_RELEASE);
}

static void record(struct vmsi_failing_memory *memory,
		   const struct vmsi_failing_stack *stack, uint64_t number,
		   size_t size)
{
	bool taken;
	struct vmsi_failing_stack *slot = find_slot(memory, stack->hash, &taken);

	if (!slot) {
		__atomic_store_n(&memory->outcome.lost, 1, __ATOMIC_RELAXED);
		return;
	}
	if (taken) {
		slot->first = number;
		/* Nothing that was asked for is more than this. */
		slot->least = UINT64_MAX;
		fill_in(slot, stack);
	}
	add(&slot->calls);
	lower(&slot->least, size);
	raise_to(&slot->most, size);
}

/* --- the choice ------------------------------------------------------------------ */

/*
 * Whether this allocation is the chosen one. Stacks are taken only where one is
 * chosen, and only until it was met, since to take one costs more than to allocate.
 */
static bool is_chosen(struct vmsi_failing_memory *memory, uint64_t number,
		      const struct vmsi_failing_stack *stack)
{
	const struct vmsi_failing_choice *choice = &memory->choice;

	if (!choice->stack)
		return number == choice->nth;
	return stack->hash == choice->stack &&
		add(&memory->outcome.met) == choice->nth;
}

static bool needs_stack(const struct vmsi_failing_choice *choice,
			uint64_t number)
{
	if (choice->records)
		return true;
	if (choice->stack)
		return number >= choice->from;
	return number == choice->nth;
}

static void note_failure(struct vmsi_failing_outcome *outcome, uint64_t number,
			 size_t size, const struct vmsi_failing_stack *stack)
{
	outcome->hash = stack->hash;
	outcome->number = number;
	outcome->size = size;
	outcome->function = stack->function;
	add(&outcome->failed);
}

static bool decide(struct vmsi_failing_memory *memory,
		   enum vmsi_failing_function function, size_t size)
{
	const struct vmsi_failing_choice *choice = &memory->choice;
	struct vmsi_failing_outcome *outcome = &memory->outcome;
	const uint64_t number = add(&outcome->allocations);
	struct vmsi_failing_stack stack;

	if (__atomic_load_n(&outcome->failed, __ATOMIC_RELAXED)) {
		if (choice->goes_on)
			add(&outcome->failed);
		return choice->goes_on;
	}
	if (number == choice->stop) {
		vmsi_failing_take_stack(memory, function, &stack);
		if (!vmsi_failing_branch(memory, &stack))
			return false;
		note_failure(outcome, number, size, &stack);
		return true;
	}
	if ((!choice->nth && !choice->records) || !needs_stack(choice, number))
		return false;
	vmsi_failing_take_stack(memory, function, &stack);
	if (choice->records)
		record(memory, &stack, number, size);
	if (!choice->nth || !is_chosen(memory, number, &stack))
		return false;
	note_failure(outcome, number, size, &stack);
	return true;
}

bool vmsi_failing_fails(enum vmsi_failing_function function, size_t size)
{
	struct vmsi_failing_memory *memory =
		__atomic_load_n(&shared, __ATOMIC_ACQUIRE);
	int error;
	bool fails;

	if (!memory || inside || size < memory->choice.least ||
	    size > memory->choice.most)
		return false;
	error = errno;
	vmsi_failing_enter();
	fails = decide(memory, function, size);
	vmsi_failing_leave();
	errno = error;
	return fails;
}
