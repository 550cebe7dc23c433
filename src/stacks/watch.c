/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <signal.h>
#include <sys/auxv.h>
#include <ucontext.h>

#include "host/chain.h"
#include "host/host.h"
#include "space/inside.h"
#include "stacks/fork.h"
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

/* --- the stack that a thread was given ------------------------------------------------ */

static _Thread_local struct {
	uint64_t pool;         /* its id; 0: none was given */
	vms_stack stack;
} given;

static stack_t signal_stack_of(const vms_stack *stack)
{
	return (stack_t){
		.ss_sp = (char *)stack->base + SIGNALS_LEAVE,
		.ss_size = stack->size - SIGNALS_LEAVE,
	};
}

/* The program may have set another one meanwhile. */
static bool is_in_force(const vms_stack *stack)
{
	stack_t signals;

	return has_signal_stack(&signals) &&
		signals.ss_sp == signal_stack_of(stack).ss_sp;
}

/* Fails where the thread runs on it. */
static int take_away(void)
{
	const stack_t none = { .ss_flags = SS_DISABLE };
	const uint64_t pool = given.pool;
	int error;

	if (is_in_force(&given.stack)) {
		error = (int)vmsi_host.signal_stack(&none, NULL);
		if (error)
			return vmsi_status(error);
	}
	given.pool = 0;
	return vmsi_stacks_give_to(pool, &given.stack);
}

static void end_thread(void *unused)
{
	(void)unused;
	if (given.pool)
		(void)take_away();
}

/* --- the ends of threads -------------------------------------------------------------- */

static pthread_key_t ends;
static int no_ends;

static void make_key(void)
{
	no_ends = pthread_key_create(&ends, end_thread);
}

/* Have end_thread called when the calling thread ends. */
static int await_end(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	(void)pthread_once(&once, make_key);
	return no_ends || pthread_setspecific(ends, &given) != 0 ? -ENOMEM : 0;
}

/* --- the calls ------------------------------------------------------------------------ */

/* The last step cannot be refused: the arguments are what the kernel asks for. */
static int watch_on(const vms_stack *stack)
{
	const stack_t signals = signal_stack_of(stack);
	int error = await_end();

	if (!error)
		error = vmsi_chain_install(SIGSEGV, on_fault);
	return error ? error : (int)vmsi_host.signal_stack(&signals, NULL);
}

/* What was given before is not in force any more: the program has set another one. */
static int give_stack(struct vms_stacks *stacks)
{
	vms_stack stack;
	int error;

	if (vms_stacks_take(stacks, "signals", &stack) != 0)
		return -1;
	error = watch_on(&stack);
	if (error) {
		(void)vms_stacks_give(stacks, &stack);
		return vmsi_status(error);
	}
	if (given.pool)
		(void)vmsi_stacks_give_to(given.pool, &given.stack);
	given.pool = stacks->id;
	given.stack = stack;
	return 0;
}

int vms_stacks_watch_thread(vms_stacks *stacks)
{
	stack_t signals;

	if (!stacks)
		return vmsi_status(-EINVAL);
	if (has_signal_stack(&signals))
		return vmsi_status(vmsi_chain_install(SIGSEGV, on_fault));
	if (!suffices(stacks))
		return vmsi_status(-EINVAL);
	return give_stack(stacks);
}

int vms_stacks_unwatch_thread(vms_stacks *stacks)
{
	if (!stacks)
		return vmsi_status(-EINVAL);
	return given.pool == stacks->id ? take_away() : 0;
}
