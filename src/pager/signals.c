/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <signal.h>
#include <ucontext.h>

#include "host/chain.h"
#include "host/host.h"
#include "pager/access.h"
#include "pager/engines.h"
#include "pager/entries.h"

/*
 * The handlers of SIGBUS and of SIGSEGV. All signals are blocked in them, so that no other
 * handler runs while a fault is resolved. What is not of a pager goes to the handler that
 * was there before.
 */

/* The pager whose fault it is; NULL: none's. */
static struct vmsi_pager *pager_of(const siginfo_t *info, int code,
				   enum vmsi_pager_engine engine)
{
	struct vmsi_pager *pager = info->si_code == code ?
		vmsi_entry_find((uintptr_t)info->si_addr) : NULL;

	return pager && pager->engine == engine ? pager : NULL;
}

static int resolve(const struct vmsi_pager *pager, const siginfo_t *info, void *context)
{
	return pager->resolve(pager->context, (uintptr_t)info->si_addr,
			      vmsi_access_of(context));
}

static void on_bus_error(int signal, siginfo_t *info, void *context)
{
	const int earlier = errno;
	const struct vmsi_pager *pager = pager_of(info, BUS_ADRERR, VMSI_PAGER_SIGNAL);

	if (!pager || resolve(pager, info, context) != 0)
		vmsi_chain_call(on_bus_error, signal, info, context);
	errno = earlier;
}

/*
 * The SIGBUS that mmap(2) would give is sent to the thread itself, which takes it before it
 * runs on. One that has it blocked would not: as the kernel does with such a fault, it is
 * unblocked, and its action becomes the default.
 */
static void become_bus_error(const siginfo_t *info, void *context)
{
	const struct sigaction by_default = { .sa_handler = SIG_DFL };
	sigset_t *mask = &((ucontext_t *)context)->uc_sigmask;
	siginfo_t other = *info;

	other.si_signo = SIGBUS;
	other.si_code = BUS_ADRERR;
	if (sigismember(mask, SIGBUS)) {
		(void)sigdelset(mask, SIGBUS);
		(void)vmsi_host.signal_action(SIGBUS, &by_default, NULL);
	}
	(void)vmsi_host.queue_signal(SIGBUS, &other);
}

static void on_violation(int signal, siginfo_t *info, void *context)
{
	const int earlier = errno;
	const struct vmsi_pager *pager = pager_of(info, SEGV_ACCERR, VMSI_PAGER_PROTECT);
	int error = -EACCES;

	if (pager && !vmsi_access_is_fetch(context))
		error = resolve(pager, info, context);
	if (error == -EACCES)
		vmsi_chain_call(on_violation, signal, info, context);
	else if (error)
		become_bus_error(info, context);
	errno = earlier;
}

int vmsi_signals_install(int signal)
{
	return vmsi_chain_install(signal, signal == SIGBUS ? on_bus_error : on_violation);
}
