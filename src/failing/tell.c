/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "failing/parts.h"

/* The messages of the server and of trunks to the command. */

bool vmsi_failing_send(int socket, enum vmsi_failing_kind kind, int value)
{
	const struct vmsi_failing_message message = {
		.kind = kind, .value = value,
	};
	ssize_t sent;

	do
		sent = send(socket, &message, sizeof(message), MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return sent == sizeof(message);
}

static int status_of(const siginfo_t *change)
{
	switch (change->si_code) {
	case CLD_EXITED:
		return W_EXITCODE(change->si_status, 0);
	case CLD_DUMPED:
		return W_EXITCODE(0, change->si_status) | WCOREFLAG;
	case CLD_STOPPED:
		return W_STOPCODE(change->si_status);
	default:
		return W_EXITCODE(0, change->si_status);
	}
}

/* The program may handle signals: a wait that one has interrupted begins again. */
static bool await_change(pid_t child, int flags, siginfo_t *change)
{
	int failed;

	do
		failed = waitid(P_PID, (id_t)child, change,
				flags | WEXITED | WNOWAIT);
	while (failed && errno == EINTR);
	return !failed;
}

bool vmsi_failing_tell_changes(int socket, pid_t child, int flags,
			       enum vmsi_failing_kind kind)
{
	siginfo_t change = { .si_code = 0 };

	if (!await_change(child, flags | WSTOPPED, &change) ||
	    !vmsi_failing_send(socket, kind, status_of(&change)))
		return false;
	/* A stop is told once: who hears of it kills the child. */
	return change.si_code != CLD_STOPPED ||
		(await_change(child, flags, &change) &&
		 vmsi_failing_send(socket, kind, status_of(&change)));
}
