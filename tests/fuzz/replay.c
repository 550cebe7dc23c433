/* SPDX-License-Identifier: MIT */
/*
 * Runs a fuzz target on files, without libFuzzer, and prints TAP: a case a
 * file. With a seed: on so many inputs that are made of the files at random, which
 * is one case; the seed repeats them.
 *
 *	PROGRAM [--seed NUMBER --runs NUMBER] FILE...
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../kernel/random.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* All of a file; NULL where it cannot be read. */
static uint8_t *read_file(const char *path, size_t *size)
{
	FILE *file = fopen(path, "rb");
	uint8_t *data = NULL;
	long length;

	if (!file)
		return NULL;
	if (fseek(file, 0, SEEK_END) == 0 && (length = ftell(file)) >= 0) {
		rewind(file);
		*size = (size_t)length;
		/* Exactly as long, so that a read past its end is seen. */
		data = malloc(*size ? *size : 1);
		if (data && fread(data, 1, *size, file) != *size) {
			free(data);
			data = NULL;
		}
	}
	fclose(file);
	return data;
}

static int replay(int count, char **files)
{
	int failed = 0;

	printf("1..%d\n", count);
	for (int i = 0; i < count; i++) {
		size_t size = 0;
		uint8_t *data = read_file(files[i], &size);

		if (data)
			LLVMFuzzerTestOneInput(data, size);
		else
			failed = 1;
		printf("%sok %d - %s\n", data ? "" : "not ", i + 1, files[i]);
		fflush(stdout);
		free(data);
	}
	return failed;
}

/* --- at random ---------------------------------------------------------------------- */

#define CHANGES_MOST 8

/* A file with some bytes changed, and cut at times. false: it cannot be read. */
static bool run_changed(const char *path, struct random *random)
{
	size_t size = 0;
	uint8_t *data = read_file(path, &size);

	if (!data)
		return false;
	if (size && random_percent(random, 10))
		size = (size_t)random_below(random, size);
	for (uint64_t i = random_below(random, CHANGES_MOST + 1); size && i > 0; i--)
		data[random_below(random, size)] = random_percent(random, 50) ?
			(uint8_t)random_next(random) : (uint8_t)(1 << random_below(random, 8));
	LLVMFuzzerTestOneInput(data, size);
	free(data);
	return true;
}

static int run_random(uint64_t seed, unsigned long runs, int count, char **files)
{
	struct random random = { .state = seed };
	bool is_good = count > 0;

	printf("1..1\n# --seed %llu --runs %lu\n", (unsigned long long)seed, runs);
	fflush(stdout);
	for (unsigned long i = 0; i < runs && is_good; i++)
		is_good = run_changed(files[random_below(&random, (uint64_t)count)], &random);
	printf("%sok 1 - what is made of the files at random\n", is_good ? "" : "not ");
	return !is_good;
}

int main(int argc, char **argv)
{
	if (argc < 5 || strcmp(argv[1], "--seed") != 0 || strcmp(argv[3], "--runs") != 0)
		return replay(argc - 1, argv + 1);
	return run_random(strtoull(argv[2], NULL, 0), strtoul(argv[4], NULL, 0), argc - 5,
			  argv + 5);
}
