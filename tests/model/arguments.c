/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "arguments.h"

static unsigned long long number(const char *model, const char *text)
{
	char *end;
	unsigned long long value = strtoull(text, &end, 0);

	if (*text && !*end)
		return value;
	fprintf(stderr, "%s: %s is not a number\n", model, text);
	exit(2);
}

static uint64_t usual_seed(const char *model)
{
	const char *given = getenv("VMS_SEED");
	struct timespec now;

	if (given)
		return number(model, given);
	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_nsec ^ (uint64_t)getpid() << 32;
}

void read_arguments(const char *model, int argc, char **argv,
		    struct arguments *arguments)
{
	arguments->seed = usual_seed(model);
	for (int i = 1; i < argc; i += 2) {
		if (i + 1 < argc && strcmp(argv[i], "--operations") == 0) {
			arguments->operations = number(model, argv[i + 1]);
		} else if (i + 1 < argc && strcmp(argv[i], "--seed") == 0) {
			arguments->seed = number(model, argv[i + 1]);
		} else {
			fprintf(stderr,
				"usage: %s [--operations N] [--seed N]\n",
				model);
			exit(2);
		}
	}
	printf("# %s --operations %lu --seed %llu\n", model,
	       arguments->operations, (unsigned long long)arguments->seed);
	/* Print the seed before a crash can lose it. */
	fflush(stdout);
}
