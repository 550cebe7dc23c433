/* SPDX-License-Identifier: MIT */
#include "../outcome.h"

#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>

/*
 * Threads that take blocks of all sizes and free those of each other. A block
 * is full of the letter of its place, so that two that overlap are seen.
 */

#define THREADS 4
#define PLACES 64
#define ROUNDS 800

struct place {
	pthread_mutex_t lock;
	unsigned char *block;
	size_t length;
};

static struct place places[PLACES];
static atomic_long wrong;

static bool is_all(const unsigned char *block, int letter, size_t length)
{
	return length == 0 ||
		(block[0] == letter &&
		 memcmp(block, block + 1, length - 1) == 0);
}

static uint64_t random_number(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* Most are near the threshold; few are large. */
static size_t random_length(uint64_t *state)
{
	size_t most = (size_t)1 << (8 + random_number(state) % 15);

	return 1 + random_number(state) % most;
}

static void renew(struct place *place, size_t length, uint64_t *state)
{
	free(place->block);
	place->length = 0;
	switch (random_number(state) % 3) {
	case 0:
		place->block = calloc(1, length);
		if (place->block && !is_all(place->block, 0, length))
			wrong++;
		return;
	case 1:
		place->block = aligned_alloc(4096, (length + 4095) & ~4095ul);
		if ((uintptr_t)place->block % 4096)
			wrong++;
		return;
	default:
		place->block = malloc(length);
	}
}

static void change(struct place *place, int letter, uint64_t *state)
{
	size_t length = random_length(state);
	size_t kept;

	if (!is_all(place->block, letter, place->length))
		wrong++;
	if (random_number(state) % 2) {
		place->block = realloc(place->block, length);
		kept = length < place->length ? length : place->length;
		if (place->block && !is_all(place->block, letter, kept))
			wrong++;
	} else {
		renew(place, length, state);
	}
	if (!place->block || malloc_usable_size(place->block) < length) {
		wrong++;
		length = 0;
	}
	place->length = length;
	if (length)
		memset(place->block, letter, length);
}

static void *work(void *seed)
{
	uint64_t state = (uintptr_t)seed * 0x9e3779b97f4a7c15;

	for (int i = 0; i < ROUNDS; i++) {
		unsigned k = random_number(&state) % PLACES;

		pthread_mutex_lock(&places[k].lock);
		change(&places[k], (int)k + 1, &state);
		pthread_mutex_unlock(&places[k].lock);
	}
	return NULL;
}

/* The first large block of a process, asked for by all threads at once. */
static pthread_barrier_t barrier;

static void *first(void *letter)
{
	unsigned char *block;

	pthread_barrier_wait(&barrier);
	block = malloc(1000000);
	memset(block, (int)(uintptr_t)letter, 1000000);
	block = realloc(block, 3000000);
	if (!is_all(block, (int)(uintptr_t)letter, 1000000))
		wrong++;
	free(block);
	return NULL;
}

static void run(void *(*body)(void *argument))
{
	pthread_t threads[THREADS];

	for (uintptr_t i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, body, (void *)(i + 1)))
			abort();
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

int main(void)
{
	begin();
	pthread_barrier_init(&barrier, NULL, THREADS);
	run(first);
	say("first block", "%ld wrong", (long)wrong);
	for (int i = 0; i < PLACES; i++)
		pthread_mutex_init(&places[i].lock, NULL);
	run(work);
	say("threads", "%ld wrong", (long)wrong);
	for (int i = 0; i < PLACES; i++)
		free(places[i].block);
	return 0;
}
