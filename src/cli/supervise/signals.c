/* SPDX-License-Identifier: MIT */
#include "cli/supervise/signals.h"

#include <stddef.h>

void vmsi_passed_on_signals(sigset_t *set)
{
	static const int passed_on[] = {
		SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGALRM,
		SIGWINCH, SIGCONT, SIGTSTP, SIGTTIN, SIGTTOU, SIGIO, SIGPWR,
		SIGURG, SIGVTALRM, SIGPROF, SIGSTKFLT,
	};

	sigemptyset(set);
	for (size_t i = 0; i < sizeof passed_on / sizeof passed_on[0]; i++)
		sigaddset(set, passed_on[i]);
	for (int i = SIGRTMIN; i <= SIGRTMAX; i++)
		sigaddset(set, i);
}
