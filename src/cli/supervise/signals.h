/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_SUPERVISE_SIGNALS_H
#define VMSI_CLI_SUPERVISE_SIGNALS_H

#include <signal.h>

/* The signals that the job passes on to the program. */
void vmsi_passed_on_signals(sigset_t *set);

#endif
