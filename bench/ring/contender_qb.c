/* SPDX-License-Identifier: MIT */
#include <qb/qbrb.h>
#include <stdio.h>
#include <unistd.h>

#include "contender.h"

/* libqb's ring, polled: without its semaphore, and in place. */

static char name[64];

static qb_ringbuffer_t *open_ring(unsigned flags)
{
	qb_ringbuffer_t *ring = qb_rb_open(name, CHANNEL_BYTES, QB_RB_FLAG_SHARED_PROCESS |
					   QB_RB_FLAG_NO_SEMAPHORE | flags, 0);

	if (!ring)
		bench_fail("qb_rb_open");
	return ring;
}

static void *make(size_t length)
{
	(void)length;
	(void)snprintf(name, sizeof(name), "vmspace-bench-%d", (int)getpid());
	return open_ring(QB_RB_FLAG_CREATE);
}

static void *join(void *channel)
{
	(void)channel;
	return open_ring(0);
}

static void produce(void *end, size_t length, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		void *record;

		while (!(record = qb_rb_chunk_alloc(end, length)))
			bench_pause();
		write_record(record, length, i);
		(void)qb_rb_chunk_commit(end, length);
	}
}

static uint64_t consume(void *end, size_t length, uint64_t count)
{
	uint64_t sum = 0;
	void *record;

	for (; count > 0; count--) {
		while (qb_rb_chunk_peek(end, &record, 0) <= 0)
			bench_pause();
		sum += read_record(record, length);
		qb_rb_chunk_reclaim(end);
	}
	return sum;
}

static void drop(void *channel)
{
	qb_rb_close(channel);
}

const struct contender contender_qb = {
	"libqb, ring", make, join, join, produce, consume, drop, 1,
};
