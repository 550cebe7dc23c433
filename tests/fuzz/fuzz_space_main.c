/* SPDX-License-Identifier: MIT */
/*
 * Runs fuzz_space without libFuzzer, and prints TAP.
 *
 *	PROGRAM [--seed N] [--inputs N]    random inputs
 *	PROGRAM --keep FILE ...            also write a failing one to FILE
 *	PROGRAM FILE...                    the inputs of files
 */
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../kernel/random.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INPUT_MOST 2048

static uint64_t seed;
static uint64_t current;
static const char *keep;
static uint8_t input[INPUT_MOST];
static size_t input_size;

static void on_crash(int number)
{
	int fd = keep != NULL ? open(keep, O_WRONLY | O_CREAT | O_TRUNC, 0644) :
				-1;

	(void)dprintf(STDOUT_FILENO,
		      "not ok 1 - input %llu of --seed %llu\n",
		      (unsigned long long)current, (unsigned long long)seed);
	if (fd >= 0 && write(fd, input, input_size) >= 0)
		(void)close(fd);
	(void)signal(number, SIG_DFL);
	(void)raise(number);
}

static void make_input(uint64_t index)
{
	struct random random = { random_mix(seed, index) };

	input_size = 32 + random_below(&random, INPUT_MOST - 32);
	for (size_t i = 0; i < input_size; i++)
		input[i] = (uint8_t)random_next(&random);
}

static int run_random(uint64_t inputs)
{
	(void)printf("1..1\n# fuzz_space --seed %llu --inputs %llu\n",
		     (unsigned long long)seed, (unsigned long long)inputs);
	(void)fflush(stdout);
	for (current = 0; current < inputs; current++) {
		make_input(current);
		(void)LLVMFuzzerTestOneInput(input, input_size);
	}
	(void)printf("ok 1 - %llu random inputs\n", (unsigned long long)inputs);
	return 0;
}

static int run_file(int number, const char *path)
{
	FILE *file = fopen(path, "rb");

	if (file == NULL) {
		(void)printf("not ok %d - %s\n", number, path);
		return 1;
	}
	input_size = fread(input, 1, sizeof input, file);
	(void)fclose(file);
	(void)LLVMFuzzerTestOneInput(input, input_size);
	(void)printf("ok %d - %s\n", number, path);
	(void)fflush(stdout);
	return 0;
}

static int run_files(int count, char **paths)
{
	int failed = 0;

	(void)printf("1..%d\n", count);
	(void)fflush(stdout);
	for (int i = 0; i < count; i++)
		failed |= run_file(i + 1, paths[i]);
	return failed;
}

int main(int argc, char **argv)
{
	const char *given = getenv("VMS_SEED");
	uint64_t inputs = 4000;
	int i;

	seed = given != NULL ? strtoull(given, NULL, 0) :
			       (uint64_t)time(NULL) ^ (uint64_t)getpid() << 32;
	for (i = 1; i + 1 < argc && strncmp(argv[i], "--", 2) == 0; i += 2) {
		if (strcmp(argv[i], "--seed") == 0)
			seed = strtoull(argv[i + 1], NULL, 0);
		else if (strcmp(argv[i], "--inputs") == 0)
			inputs = strtoull(argv[i + 1], NULL, 0);
		else if (strcmp(argv[i], "--keep") == 0)
			keep = argv[i + 1];
		else
			return 2;
	}
	(void)signal(SIGABRT, on_crash);
	(void)signal(SIGSEGV, on_crash);
	(void)signal(SIGBUS, on_crash);
	return i < argc ? run_files(argc - i, argv + i) : run_random(inputs);
}
