/* SPDX-License-Identifier: MIT */
#include <signal.h>

#include "cli/command.h"

static void (*pipe_handler)(int);

void vmsi_ignore_pipe_signal(void)
{
	pipe_handler = signal(SIGPIPE, SIG_IGN);
}

void vmsi_restore_signals(void)
{
	signal(SIGPIPE, pipe_handler);
}
