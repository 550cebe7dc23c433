/* SPDX-License-Identifier: MIT */
#include <ck_ring.h>
#include <sys/mman.h>

#include "contender.h"

/*
 * ck_ring passes pointers: here to places for records in the same shared memory, which lies
 * at one address in all processes. A place is used again after twice as many records as
 * the ring holds, so that it was read before.
 */

#define POINTERS_MOST (CHANNEL_BYTES / 2 / 8)

struct channel {
	ck_ring_t ring;
	ck_ring_buffer_t pointers[POINTERS_MOST];
	size_t places;
	size_t bytes;
	_Alignas(64) char records[];
};

static void *make(size_t length)
{
	const unsigned pointers = (unsigned)(CHANNEL_BYTES / 2 / length);
	const size_t bytes = sizeof(struct channel) + 2 * pointers * length;
	struct channel *channel = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
				       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (channel == MAP_FAILED)
		bench_fail("mmap");
	ck_ring_init(&channel->ring, pointers);
	channel->places = 2 * pointers;
	channel->bytes = bytes;
	return channel;
}

static void *join(void *channel)
{
	return channel;
}

static void produce(void *end, size_t length, uint64_t count)
{
	struct channel *channel = end;

	for (uint64_t i = 0; i < count; i++) {
		char *record = channel->records + i % channel->places * length;

		write_record(record, length, i);
		while (!ck_ring_enqueue_spsc(&channel->ring, channel->pointers, record))
			bench_pause();
	}
}

static uint64_t consume(void *end, size_t length, uint64_t count)
{
	struct channel *channel = end;
	uint64_t sum = 0;
	void *record;

	for (; count > 0; count--) {
		while (!ck_ring_dequeue_spsc(&channel->ring, channel->pointers, &record))
			bench_pause();
		sum += read_record(record, length);
	}
	return sum;
}

static void drop(void *channel)
{
	(void)munmap(channel, ((struct channel *)channel)->bytes);
}

const struct contender contender_ck = {
	"ck_ring, spsc", make, join, join, produce, consume, drop, 1,
};
