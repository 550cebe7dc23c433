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

/* A message: VMSI_FAILING_RUN or VMSI_FAILING_TRUNK, and what comes with it. */
struct order {
	char command;
	struct streams streams;
};

/* Returns false at the end of the socket. */
static bool receive(int socket, struct order *order)
{
	struct streams *streams = &order->streams;
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(*streams))];
	} control;
	struct iovec vector = { &order->command, 1 };
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

static void close_streams(const struct streams *streams)
{
	close(streams->input);
	close(streams->output);
}

static void begin_child(int socket, const struct order *order,
			const struct sigaction *before)
{
	if (dup2(order->streams.input, STDIN_FILENO) < 0 ||
	    dup2(order->streams.output, STDOUT_FILENO) < 0)
		_exit(127);
	close_streams(&order->streams);
	if (order->command == VMSI_FAILING_TRUNK)
		vmsi_failing_begin_trunk(socket);
	else
		close(socket);
	(void)sigaction(SIGCHLD, before, NULL);
}

void vmsi_failing_serve(int socket)
{
	/* Where it is ignored, nobody can wait for a child. */
	const struct sigaction heard = { .sa_handler = SIG_DFL };
	struct sigaction before;
	struct order order;
	pid_t child;

	(void)sigaction(SIGCHLD, &heard, &before);
	if (!vmsi_failing_send(socket, VMSI_FAILING_READY,
			       __libc_single_threaded != 0))
		_exit(127);
	while (receive(socket, &order)) {
		child = fork();
		if (child == 0) {
			begin_child(socket, &order, &before);
			return;
		}
		close_streams(&order.streams);
		if (!vmsi_failing_send(socket, VMSI_FAILING_FORKED,
				       child < 0 ? -errno : child))
			break;
		if (child < 0)
			continue;
		if (!vmsi_failing_tell_changes(socket, child, 0,
					       VMSI_FAILING_CHANGED))
			break;
		/* The next message lets go of it. */
		if (recv(socket, &order.command, 1, MSG_PEEK) < 0)
			break;
		(void)waitpid(child, NULL, WNOHANG);
	}
	_exit(0);
}
