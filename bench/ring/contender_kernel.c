/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "contender.h"

/* What the kernel has: a pipe, a socket that keeps records apart, a message queue. */

static uint64_t record[1024];

struct channel {
	int ends[2];           /* to read, to write */
	mqd_t queue;
};

static struct channel *make_channel(void)
{
	struct channel *channel = calloc(1, sizeof(*channel));

	if (!channel)
		bench_fail("calloc");
	return channel;
}

/* As much as an ordinary user may have (fs.pipe-max-size). */
static void *make_pipe(size_t length)
{
	struct channel *channel = make_channel();

	(void)length;
	if (pipe(channel->ends) != 0)
		bench_fail("pipe");
	(void)fcntl(channel->ends[1], F_SETPIPE_SZ, 1 << 20);
	return channel;
}

static void *make_socket(size_t length)
{
	struct channel *channel = make_channel();

	(void)length;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, channel->ends) != 0)
		bench_fail("socketpair");
	return channel;
}

/* As many messages as an ordinary user may have (fs.mqueue.msg_max). */
static void *make_mq(size_t length)
{
	struct channel *channel = make_channel();
	struct mq_attr attributes = { .mq_maxmsg = 10, .mq_msgsize = (long)length };

	channel->queue = mq_open("/vmspace-bench", O_RDWR | O_CREAT | O_EXCL, 0600,
				 &attributes);
	if (channel->queue == (mqd_t)-1)
		bench_fail("mq_open");
	(void)mq_unlink("/vmspace-bench");
	return channel;
}

static void *join(void *channel)
{
	return channel;
}

static void produce_fd(void *end, size_t length, uint64_t count)
{
	const struct channel *channel = end;

	for (uint64_t i = 0; i < count; i++) {
		write_record(record, length, i);
		if (write(channel->ends[1], record, length) != (ssize_t)length)
			bench_fail("write");
	}
}

/* A pipe gives what is there, and may give a record in parts. */
static uint64_t consume_fd(void *end, size_t length, uint64_t count)
{
	const struct channel *channel = end;
	uint64_t sum = 0;

	for (; count > 0; count--) {
		size_t got = 0;

		while (got < length) {
			ssize_t more = read(channel->ends[0], (char *)record + got,
					    length - got);

			if (more <= 0)
				bench_fail("read");
			got += (size_t)more;
		}
		sum += read_record(record, length);
	}
	return sum;
}

static void produce_mq(void *end, size_t length, uint64_t count)
{
	const struct channel *channel = end;

	for (uint64_t i = 0; i < count; i++) {
		write_record(record, length, i);
		if (mq_send(channel->queue, (const char *)record, length, 0) != 0)
			bench_fail("mq_send");
	}
}

static uint64_t consume_mq(void *end, size_t length, uint64_t count)
{
	const struct channel *channel = end;
	uint64_t sum = 0;

	for (; count > 0; count--) {
		if (mq_receive(channel->queue, (char *)record, length, NULL) !=
		    (ssize_t)length)
			bench_fail("mq_receive");
		sum += read_record(record, length);
	}
	return sum;
}

static void drop_fd(void *channel)
{
	struct channel *gone = channel;

	(void)close(gone->ends[0]);
	(void)close(gone->ends[1]);
	free(gone);
}

static void drop_mq(void *channel)
{
	struct channel *gone = channel;

	(void)mq_close(gone->queue);
	free(gone);
}

const struct contender contender_pipe = {
	"pipe", make_pipe, join, join, produce_fd, consume_fd, drop_fd, 64,
};
const struct contender contender_socket = {
	"Unix socket, SOCK_SEQPACKET", make_socket, join, join, produce_fd, consume_fd,
	drop_fd, 64,
};
const struct contender contender_mq = {
	"POSIX message queue", make_mq, join, join, produce_mq, consume_mq, drop_mq, 64,
};
