/* SPDX-License-Identifier: MIT */
#ifndef VMSI_HOST_CHAIN_H
#define VMSI_HOST_CHAIN_H

#include <signal.h>
#include <stdbool.h>

/*
 * The library's handlers of SIGBUS and SIGSEGV, and what the program had set by
 * sigaction(2) before they were installed: it gets what is not the library's.
 */

typedef void vmsi_handler(int signal, siginfo_t *info, void *context);

/*
 * Install a handler, and keep the earlier action, which may be another handler of the
 * library's; only the first call of the process for a signal and a handler does. All
 * signals are blocked in it. Returns 0 or -errno.
 */
int vmsi_chain_install(int signal, vmsi_handler *handler);

/* Whether an action is this handler of the library's. */
bool vmsi_chain_is(const struct sigaction *action, vmsi_handler *handler);

/* Whether an action is any handler of the library's for a signal. */
bool vmsi_chain_is_known(int signal, const struct sigaction *action);

/*
 * Do with a signal what would have been done with it without this handler, which calls
 * this as the last thing that it does, since the earlier handler need not return.
 */
void vmsi_chain_call(vmsi_handler *handler, int signal, siginfo_t *info,
		     void *context);

/* Whether a signal has met the default action: the program ends. */
bool vmsi_chain_has_ended(void);

#endif
