/* SPDX-License-Identifier: MIT */
#include "host/chain.h"

#include <errno.h>
#include <stdatomic.h>
#include <ucontext.h>

#include "base/align.h"
#include "host/host.h"

/*
 * A handler of the library's, and what was there before it: the program's, or another
 * one of the library's. Threads that install at once make one each, and all but one
 * give it back.
 */
struct earlier {
	vmsi_handler *handler;
	struct sigaction action;
	atomic_bool installed; /* the handler was */
	atomic_bool spent;     /* SA_RESETHAND: it was called, and is no more */
	struct earlier *next;
};

static struct earlier *_Atomic kept[_NSIG]; /* by signal */
static atomic_bool ended;

static size_t kept_bytes(void)
{
	return vmsi_align_up(sizeof(struct earlier), vmsi_page_size());
}

static struct earlier *find(int signal, vmsi_handler *handler)
{
	struct earlier *earlier = atomic_load(&kept[signal]);

	while (earlier && earlier->handler != handler)
		earlier = earlier->next;
	return earlier;
}

/* Returns NULL where the host has no memory. */
static struct earlier *keep(int signal, vmsi_handler *handler,
			    const struct sigaction *action)
{
	const struct vmsi_range nowhere = { 0, 0 };
	struct earlier *made = vmsi_host_get_guarded(kept_bytes(), nowhere);
	struct earlier *theirs;

	if (!made)
		return NULL;
	made->handler = handler;
	made->action = *action;
	made->next = atomic_load(&kept[signal]);
	do {
		theirs = find(signal, handler);
		if (theirs) {
			vmsi_host_put_guarded(made, kept_bytes());
			return theirs;
		}
	} while (!atomic_compare_exchange_weak(&kept[signal], &made->next, made));
	return made;
}

bool vmsi_chain_is(const struct sigaction *action, vmsi_handler *handler)
{
	return (action->sa_flags & SA_SIGINFO) &&
		action->sa_sigaction == handler;
}

bool vmsi_chain_is_known(int signal, const struct sigaction *action)
{
	return (action->sa_flags & SA_SIGINFO) && find(signal, action->sa_sigaction);
}

/*
 * A system call that a signal for the earlier handler interrupts goes on or not, as it
 * would with that handler; one that is ignored would not have been interrupted.
 *
 * Two threads that install two handlers of one signal at once could have seen the same
 * earlier action, so the one that the kernel has replaced is what counts.
 */
static int set_handler(int signal, struct earlier *earlier)
{
	struct sigaction action = {
		.sa_sigaction = earlier->handler,
		.sa_flags = SA_SIGINFO | SA_ONSTACK |
			(earlier->action.sa_flags & SA_RESTART),
	};
	struct sigaction replaced;
	int error;

	if (earlier->action.sa_handler == SIG_IGN)
		action.sa_flags |= SA_RESTART;
	sigfillset(&action.sa_mask);
	error = (int)vmsi_host.signal_action(signal, &action, &replaced);
	if (error)
		return error;
	if (!vmsi_chain_is(&replaced, earlier->handler) &&
	    replaced.sa_sigaction != earlier->action.sa_sigaction)
		earlier->action = replaced;
	atomic_store(&earlier->installed, true);
	return 0;
}

/*
 * Threads that come here at once do the same thing twice, which does no harm; a lock
 * could be held, in the child of a fork, by a thread that is not in it.
 */
int vmsi_chain_install(int signal, vmsi_handler *handler)
{
	struct earlier *earlier = find(signal, handler);
	struct sigaction now;
	int error;

	if (earlier && atomic_load(&earlier->installed))
		return 0;
	error = (int)vmsi_host.signal_action(signal, NULL, &now);
	if (error || vmsi_chain_is(&now, handler))
		return error;
	if (!earlier)
		earlier = keep(signal, handler, &now);
	return earlier ? set_handler(signal, earlier) : -ENOMEM;
}

bool vmsi_chain_has_ended(void)
{
	return atomic_load(&ended);
}

/*
 * The default action. The signal is sent again, as it was, and is taken as soon as
 * the handler returns, before the program runs on: so it ends where it was, and also
 * where another thread has mapped zeros at the address meanwhile. A fault that could
 * not be sent again happens again. SIGSEGV always does, for nobody mends what it was
 * for; and valgrind takes one that is sent for a fault of its own.
 */
static void end_program(int signal, const siginfo_t *info)
{
	const struct sigaction by_default = { .sa_handler = SIG_DFL };

	atomic_store(&ended, true);
	(void)vmsi_host.signal_action(signal, &by_default, NULL);
	if (signal != SIGSEGV || info->si_code <= 0)
		(void)vmsi_host.queue_signal(signal, info);
}

/*
 * What the kernel would have blocked for the earlier handler. What it blocks for the
 * library's goes when that returns.
 */
static void set_mask(const struct sigaction *action, int signal,
		     const ucontext_t *context)
{
	sigset_t mask;

	sigorset(&mask, &context->uc_sigmask, &action->sa_mask);
	if (!(action->sa_flags & SA_NODEFER))
		sigaddset(&mask, signal);
	(void)vmsi_host.signal_mask(SIG_SETMASK, &mask, NULL);
}

static void call_handler(const struct sigaction *action, int signal,
			 siginfo_t *info, void *context)
{
	set_mask(action, signal, context);
	if (action->sa_flags & SA_SIGINFO)
		action->sa_sigaction(signal, info, context);
	else
		action->sa_handler(signal);
}

/* An ignored signal ends the program where the kernel has sent it for a fault. */
static bool is_ignored(const struct sigaction *action, const siginfo_t *info)
{
	return action->sa_handler == SIG_IGN && info->si_code <= 0;
}

static bool is_handled(struct earlier *earlier)
{
	if (earlier->action.sa_handler == SIG_DFL ||
	    earlier->action.sa_handler == SIG_IGN)
		return false;
	return !(earlier->action.sa_flags & SA_RESETHAND) ||
		!atomic_exchange(&earlier->spent, true);
}

void vmsi_chain_call(vmsi_handler *handler, int signal, siginfo_t *info,
		     void *context)
{
	struct earlier *earlier = find(signal, handler);

	if (earlier && is_ignored(&earlier->action, info))
		return;
	if (earlier && is_handled(earlier))
		call_handler(&earlier->action, signal, info, context);
	else
		end_program(signal, info);
}
