/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "bench.h"

/*
 * A store that is full, and keeps being asked: values of 4 to 256 KiB under many keys are
 * set, read and deleted in a random order. Where there is no memory for a new value the
 * old one stays, and the store says so. With --data MIB the kernel itself refuses, by
 * RLIMIT_DATA, which nobody is asked about.
 *
 * Prints operations a second, when it is full, and how many of a thousand were refused.
 */

#define KEYS 1280u
#define LEAST ((size_t)4 << 10)
#define MOST ((size_t)256 << 10)

struct value {
	unsigned char *bytes; /* NULL: there is none */
	size_t size;
};

struct store {
	struct value values[KEYS];
	size_t refused;
	uint64_t random;
};

static uint64_t next_random(struct store *store)
{
	store->random ^= store->random << 13;
	store->random ^= store->random >> 7;
	store->random ^= store->random << 17;
	return store->random;
}

static void drop(struct value *value)
{
	free(value->bytes);
	value->bytes = NULL;
}

static void set(struct store *store, struct value *value, size_t size)
{
	unsigned char *bytes = malloc(size);

	if (!bytes) {
		store->refused++;
		return;
	}
	memset(bytes, (int)size, size);
	drop(value);
	*value = (struct value){ .bytes = bytes, .size = size };
}

static void read_value(const struct value *value)
{
	uintptr_t sum = 0;

	for (size_t i = 0; value->bytes && i < value->size; i++)
		sum += value->bytes[i];
	bench_use(sum);
}

/* Of eight operations four set, three read and one deletes. */
static void operate(struct store *store)
{
	const uint64_t random = next_random(store);
	struct value *value = &store->values[(random >> 8) % KEYS];

	if (random % 8 == 0)
		drop(value);
	else if (random % 8 < 4)
		read_value(value);
	else
		set(store, value, LEAST + (random >> 24) % (MOST - LEAST));
}

int main(int argc, char **argv)
{
	static struct store store = { .random = 88172645463325252 };
	const size_t data = bench_option(argc, argv, "data", 0) << 20;
	const size_t operations = bench_option(argc, argv, "operations", 200000);
	uint64_t begin;
	double seconds;

	bench_check_options(argc, argv);
	if (data && setrlimit(RLIMIT_DATA, &(struct rlimit){ data, data })) {
		perror("RLIMIT_DATA");
		return 1;
	}
	while (store.refused < 100)
		operate(&store);
	store.refused = 0;
	begin = bench_now();
	for (size_t i = 0; i < operations; i++)
		operate(&store);
	seconds = (double)(bench_now() - begin) / 1e9;
	printf("%.0f %.0f\n", (double)operations / seconds,
	       1000.0 * (double)store.refused / (double)operations);
	return 0;
}
