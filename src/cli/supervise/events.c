/* SPDX-License-Identifier: MIT */
#include "cli/supervise/events.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/supervise/signals.h"

void vmsi_job_tell(int events, enum vmsi_job_event_kind event, int number)
{
	struct vmsi_job_event message = { .number = number };

	message.event = event;
	(void)send(events, &message, sizeof message, MSG_NOSIGNAL);
}

void vmsi_job_block_signals(void)
{
	sigset_t signals;

	vmsi_passed_on_signals(&signals);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);
}

void vmsi_job_let_go_of_streams(bool errors_too)
{
	int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (nothing < 0)
		return;
	dup2(nothing, STDIN_FILENO);
	dup2(nothing, STDOUT_FILENO);
	if (errors_too)
		dup2(nothing, STDERR_FILENO);
	close(nothing);
}
