/* SPDX-License-Identifier: MIT */
#include <stdatomic.h>
#include <sys/mman.h>

#include "contender.h"

/*
 * No queue, but what the memory itself takes: places for records of one length, each with a
 * word that tells that it is full, and a count of what was read.
 */

struct place_word {
	_Alignas(64) _Atomic uint64_t number;
};

struct channel {
	_Alignas(128) _Atomic uint64_t read;
	size_t places;
	size_t bytes;
	struct place_word *words;
	char *records;
};

static void *make(size_t length)
{
	const size_t places = CHANNEL_BYTES / length;
	const size_t words = places * sizeof(struct place_word);
	const size_t bytes = 4096 + words + places * length;
	char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	struct channel *channel = (struct channel *)(void *)memory;

	if (memory == MAP_FAILED)
		bench_fail("mmap");
	channel->places = places;
	channel->bytes = bytes;
	channel->words = (struct place_word *)(void *)(memory + 4096);
	channel->records = memory + 4096 + words;
	return channel;
}

static void *join(void *channel)
{
	return channel;
}

static void produce(void *end, size_t length, uint64_t count)
{
	struct channel *channel = end;
	const size_t places = channel->places;
	uint64_t known = 0;

	for (uint64_t i = 0; i < count; i++) {
		while (i - known == places) {
			known = atomic_load_explicit(&channel->read, memory_order_acquire);
			if (i - known == places)
				bench_pause();
		}
		write_record(channel->records + i % places * length, length, i);
		atomic_store_explicit(&channel->words[i % places].number, i + 1,
				      memory_order_release);
	}
}

static uint64_t consume(void *end, size_t length, uint64_t count)
{
	struct channel *channel = end;
	const size_t places = channel->places;
	uint64_t sum = 0;

	for (uint64_t i = 0; i < count; i++) {
		_Atomic uint64_t *word = &channel->words[i % places].number;

		while (atomic_load_explicit(word, memory_order_acquire) != i + 1)
			bench_pause();
		sum += read_record(channel->records + i % places * length, length);
		atomic_store_explicit(&channel->read, i + 1, memory_order_release);
	}
	return sum;
}

static void drop(void *channel)
{
	(void)munmap(channel, ((struct channel *)channel)->bytes);
}

const struct contender contender_places = {
	"bare places, a word each", make, join, join, produce, consume, drop, 1,
};
