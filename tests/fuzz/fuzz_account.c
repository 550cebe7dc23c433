/* SPDX-License-Identifier: MIT */
/*
 * Bytes as a schedule of a group (tests/model/account_world.h): each number that
 * a step asks for is the next byte. What is said of the group must cover what
 * there is, whatever the schedule.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "../model/account_world.h"

#define STEPS_PER_ROUND 200

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *at;
	size_t left;
};

static size_t below(void *context, size_t limit)
{
	struct input *input = context;
	size_t number;

	if (input->left == 0)
		return 0;
	number = *input->at++ % limit;
	input->left--;
	return number;
}

static void wrong(const char *what)
{
	fprintf(stderr, "%s: %s\n", account_world_last(), what);
	abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };
	const struct account_numbers numbers = { below, &input };

	while (input.left) {
		account_world_begin(&numbers, wrong);
		for (int i = 0; i < STEPS_PER_ROUND && input.left; i++)
			account_world_step();
		account_world_end();
	}
	return 0;
}
