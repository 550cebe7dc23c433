/* SPDX-License-Identifier: MIT */
#ifndef POOL_LOG_H
#define POOL_LOG_H

/*
 * A log that is written ahead of pages, for pool_tree.c. It has frames, one behind the
 * other; each is there whole or not at all. The number of a frame (lsn) is where it would
 * be if the log had never been begun anew.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#define PAGE 4096u
#define MAGIC 0x7472656532303031u
#define MOST_CHANGES 4

_Noreturn static void die(const char *what)
{
	fprintf(stderr, "pool_tree: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* Of so many bytes, with this header; what is behind it are changes. */
struct frame {
	uint64_t sum, lsn, bytes; /* lsn: where it begins */
};

#define MOST_BYTES (sizeof(struct frame) + MOST_CHANGES * (sizeof(struct change) + PAGE))

/* Of a page: its new contents, or an entry that was put into it. They are behind this. */
struct change {
	uint64_t page, bytes;     /* bytes is PAGE, or that of an entry */
};

struct log {
	int fd;
	pthread_mutex_t lock;     /* of what follows */
	uint64_t start;           /* the number of the first frame */
	uint64_t durable, end;    /* numbers: on the disk; with what is in the buffer */
	uint64_t frame;           /* the one that is being made */
	char *buffer;
	size_t room;
};

/* FNV-1a, by words: enough to tell a frame from what is not one. */
static uint64_t sum_of(const void *bytes, size_t length)
{
	uint64_t sum = MAGIC, word;

	for (size_t i = 0; i < length; i += 8) {
		memcpy(&word, (const char *)bytes + i, 8);
		sum = (sum ^ word) * 0x100000001b3u;
		sum ^= sum >> 32;
	}
	return sum;
}

static void add(struct log *log, const void *bytes, size_t length)
{
	const size_t used = (size_t)(log->end - log->durable);

	if (used + length > log->room) {
		log->room = 2 * (used + length);
		log->buffer = realloc(log->buffer, log->room);
		if (!log->buffer)
			die("remember the log");
	}
	memcpy(log->buffer + used, bytes, length);
	log->end += length;
}

/* Returns the number of its end. The caller has the lock, as in the next one. */
static uint64_t begin_frame(struct log *log, size_t bytes)
{
	struct frame frame = { .lsn = log->end, .bytes = sizeof(frame) + bytes };

	log->frame = log->end;
	add(log, &frame, sizeof(frame));
	return frame.lsn + frame.bytes;
}

static void end_frame(struct log *log)
{
	char *frame = log->buffer + (log->frame - log->durable);
	const uint64_t sum = sum_of(frame + 8, (size_t)(log->end - log->frame) - 8);

	memcpy(frame, &sum, 8);
}

static void write_log(struct log *log)
{
	const size_t length = (size_t)(log->end - log->durable);

	if (pwrite(log->fd, log->buffer, length, (off_t)(log->durable - log->start)) !=
	    (ssize_t)length || fdatasync(log->fd) != 0)
		die("write the log");
	log->durable = log->end;
}

/*
 * Leave a frame without changes that has the number. Frames of before have other numbers
 * than those that come next, and none is taken for one.
 */
static void begin_log(struct log *log, uint64_t lsn)
{
	log->start = log->durable = log->end = lsn;
	(void)begin_frame(log, 0);
	end_frame(log);
	write_log(log);
	if (ftruncate(log->fd, (off_t)sizeof(struct frame)) != 0)
		die("begin the log");
}

/* What several threads wait for is one write. */
static int make_durable(void *context, uint64_t lsn)
{
	struct log *log = context;

	pthread_mutex_lock(&log->lock);
	if (log->durable < lsn)
		write_log(log);
	pthread_mutex_unlock(&log->lock);
	return 0;
}

/* The next one of a log that was opened, for free(3); NULL: there is no more. */
static char *read_frame(struct log *log)
{
	struct frame *frame = malloc(MOST_BYTES);
	ssize_t length;

	if (!frame)
		die("read the log");
	length = pread(log->fd, frame, MOST_BYTES, (off_t)(log->end - log->start));
	if (length >= (ssize_t)sizeof(*frame) && frame->bytes >= sizeof(*frame) &&
	    frame->bytes <= (uint64_t)length && frame->bytes % 8 == 0 &&
	    (log->end == log->start || frame->lsn == log->end) &&
	    frame->sum == sum_of(&frame->lsn, (size_t)frame->bytes - 8)) {
		if (log->end == log->start)
			log->start = frame->lsn;
		log->durable = log->end = frame->lsn + frame->bytes;
		return (char *)frame;
	}
	free(frame);
	return NULL;
}

#endif
