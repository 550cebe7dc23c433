/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/single_threaded.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "failing/parts.h"

/*
 * The fork server: the program has been loaded and linked, and its libraries have
 * begun, but nothing of it has run. Each child goes on from here with the standard
 * input and output that came with the message.
 */

struct streams {
	int input, output;
};

static bool send_message(int socket, enum vmsi_failing_kind kind, int value)
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

/* Returns false at the end of the socket. */
static bool receive(int socket, struct streams *streams)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(*streams))];
	} control;
	char nothing;
	struct iovec vector = { &nothing, 1 };
	struct msghdr message = {
		.msg_iov = &vector, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};
	const struct cmsghdr *header;
	ssize_t got;

	do
		got = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	header = got == 1 ? CMSG_FIRSTHDR(&message) : NULL;
	if (!header || header->cmsg_len != CMSG_LEN(sizeof(*streams)))
		return false;
	memcpy(streams, CMSG_DATA(header), sizeof(*streams));
	return true;
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

/* Tell each change of the child until it has ended; it stays a zombie. */
static bool tell_changes(int socket, pid_t child)
{
	siginfo_t change;

	do {
		memset(&change, 0, sizeof(change));
		if (waitid(P_PID, (id_t)child, &change,
			   WEXITED | WSTOPPED | WNOWAIT)) {
			if (errno == EINTR)
				continue;
			return false;
		}
		if (!send_message(socket, VMSI_FAILING_CHANGED,
				  status_of(&change)))
			return false;
		/* A stop is told once: who hears of it kills the child. */
		if (change.si_code == CLD_STOPPED)
			(void)waitid(P_PID, (id_t)child, &change,
				     WEXITED | WNOWAIT);
	} while (change.si_code == CLD_STOPPED);
	return true;
}

static void close_streams(const struct streams *streams)
{
	close(streams->input);
	close(streams->output);
}

static void begin_child(int socket, const struct streams *streams,
			const struct sigaction *before)
{
	if (dup2(streams->input, STDIN_FILENO) < 0 ||
	    dup2(streams->output, STDOUT_FILENO) < 0)
		_exit(127);
	close_streams(streams);
	close(socket);
	(void)sigaction(SIGCHLD, before, NULL);
}

void vmsi_failing_serve(int socket)
{
	/* Where it is ignored, nobody can wait for a child. */
	const struct sigaction heard = { .sa_handler = SIG_DFL };
	struct sigaction before;
	struct streams streams;
	pid_t child;

	(void)sigaction(SIGCHLD, &heard, &before);
	if (!send_message(socket, VMSI_FAILING_READY,
			  __libc_single_threaded != 0))
		_exit(127);
	while (receive(socket, &streams)) {
		child = fork();
		if (child == 0) {
			begin_child(socket, &streams, &before);
			return;
		}
		close_streams(&streams);
		if (!send_message(socket, VMSI_FAILING_FORKED,
				  child < 0 ? -errno : child))
			break;
		if (child < 0)
			continue;
		if (!tell_changes(socket, child))
			break;
		/* The next message lets go of it. */
		if (recv(socket, &streams, 0, MSG_PEEK) < 0)
			break;
		(void)waitpid(child, NULL, WNOHANG);
	}
	_exit(0);
}
