/* SPDX-License-Identifier: MIT */
#include <signal.h>
#include <sys/auxv.h>
#include <ucontext.h>

#include "host/chain.h"
#include "host/host.h"
#include "space/inside.h"
#include "stacks/report.h"
#include "stacks/stacks.h"

/* The handler of SIGSEGV, and the stacks that it runs on. */

#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51
#endif

/*
 * What the handler takes, and the program's own may, beside the frame of a signal;
 * with SIGNALS_LEAVE.
 */
#define HANDLER_BYTES 9216

/*
 * The kernel takes a thread for one that runs on its stack for signals while the stack
 * pointer is above the address that it was told, and then does not begin at the top
 * again. On aarch64 an instruction that pushes registers faults with the pointer up to
 * so many bytes above where it would write.
 */
#define SIGNALS_LEAVE 512

/* --- the handler -------------------------------------------------------------------- */

static uintptr_t stack_pointer(const ucontext_t *context)
{
#ifdef __x86_64__
	return (uintptr_t)context->uc_mcontext.gregs[REG_RSP];
#else
	return context->uc_mcontext.sp;
#endif
}

/* A fault of this thread, and not kill(2). */
static bool is_fault(const siginfo_t *info)
{
	return info->si_code == SEGV_MAPERR || info->si_code == SEGV_ACCERR;
}

static void on_fault(int signal, siginfo_t *info, void *context)
{
	const int earlier = errno;

	if (is_fault(info))
		vmsi_stacks_report((uintptr_t)info->si_addr,
				   stack_pointer(context));
	vmsi_chain_call(on_fault, signal, info, context);
	errno = earlier;
}

/* --- the calls ------------------------------------------------------------------------ */

static bool suffices(const struct vms_stacks *stacks)
{
	const size_t frame = vmsi_max(getauxval(AT_MINSIGSTKSZ), MINSIGSTKSZ);

	return stacks->size - (stacks->colours - 1) * COLOUR_BYTES >=
		frame + HANDLER_BYTES;
}

static bool has_signal_stack(stack_t *signals)
{
	return vmsi_host.signal_stack(NULL, signals) == 0 &&
		!(signals->ss_flags & SS_DISABLE);
}

/* The last step cannot be refused: the arguments are what the kernel asks for. */
static int watch_on(const vms_stack *stack)
{
	const stack_t signals = {
		.ss_sp = (char *)stack->base + SIGNALS_LEAVE,
		.ss_size = stack->size - SIGNALS_LEAVE,
	};
	const int error = vmsi_chain_install(SIGSEGV, on_fault);

	return error ? error : (int)vmsi_host.signal_stack(&signals, NULL);
}

int vms_stacks_watch_thread(vms_stacks *stacks)
{
	stack_t signals;
	vms_stack stack;
	int error;

	if (!stacks)
		return vmsi_status(-EINVAL);
	if (has_signal_stack(&signals))
		return vmsi_status(vmsi_chain_install(SIGSEGV, on_fault));
	if (!suffices(stacks))
		return vmsi_status(-EINVAL);
	if (vms_stacks_take(stacks, "signals", &stack) != 0)
		return -1;
	error = watch_on(&stack);
	if (error)
		(void)vms_stacks_give(stacks, &stack);
	return vmsi_status(error);
}

int vms_stacks_unwatch_thread(vms_stacks *stacks)
{
	const stack_t none = { .ss_flags = SS_DISABLE };
	stack_t signals;
	vms_stack stack;
	size_t number;
	int error;

	if (!stacks)
		return vmsi_status(-EINVAL);
	if (!has_signal_stack(&signals) ||
	    !vmsi_slot_at(stacks, (uintptr_t)signals.ss_sp, &number))
		return 0;
	error = (int)vmsi_host.signal_stack(&none, NULL);
	if (error)
		return vmsi_status(error);
	vmsi_slot_describe(stacks, number, &stack);
	return vms_stacks_give(stacks, &stack);
}
