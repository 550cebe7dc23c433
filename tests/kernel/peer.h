/* SPDX-License-Identifier: MIT */
#ifndef PEER_H
#define PEER_H

#include <stdatomic.h>
#include <sys/types.h>

#include "layout.h"

/*
 * A child process that makes the kernel's own calls in a window of its own, one at a
 * time. It shares the channel with the process that makes the same calls on a space.
 */
#define PEER_SAMPLES 4096
#define WINDOW ((size_t)64 << 20)

struct peer_channel {
	_Atomic uint32_t requests; /* futex words; equal when all is answered */
	_Atomic uint32_t replies;
	bool quit;
	/* The request. */
	struct operation operation;
	bool has_operation;
	/*
	 * The space's answer: an offset in the window or -errno. The kernel gets a
	 * place that the space chose as a hint.
	 */
	intptr_t wanted;
	bool want_flags;
	size_t sample_count;
	uint32_t samples[PEER_SAMPLES]; /* page numbers */
	/* The reply. */
	struct answer answer; /* the result: an offset in the window or -errno */
	int failure;          /* of the peer itself: -errno */
	struct layout layout;
	struct layout flagged;
	int64_t digests[PEER_SAMPLES];
};

struct peer {
	struct peer_channel *channel;
	pid_t pid;
};

/*
 * Start the peer with a window of size bytes. Call before there is a space, so
 * that the child has no copy of one. Returns 0 or -errno.
 */
int peer_start(struct peer *peer, size_t size, uintptr_t residue);
void peer_stop(struct peer *peer);

/* Send the request in the channel and wait for the reply. Returns 0 or -errno. */
void peer_send(struct peer *peer);
int peer_wait(struct peer *peer);

#endif
