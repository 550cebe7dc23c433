/* SPDX-License-Identifier: MIT */
#ifndef VMSI_FILE_CHAIN_H
#define VMSI_FILE_CHAIN_H

#include <signal.h>
#include <stdbool.h>

/*
 * What a program wants done with a SIGBUS that is not the library's: what it had set
 * by sigaction(2) before the library's handler was installed.
 */

/*
 * Keep the earlier action; only the first call of the process does. Returns 0 or
 * -ENOMEM.
 */
int vmsi_chain_keep(const struct sigaction *earlier);

/*
 * Do with a signal what would have been done with it without the library. Called by
 * its handler, as the last thing that it does, since the earlier handler need not return.
 */
void vmsi_chain_call(int signal, siginfo_t *info, void *context);

/* Whether a signal has met the default action: the program ends. */
bool vmsi_chain_has_ended(void);

#endif
