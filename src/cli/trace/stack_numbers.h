/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_STACK_NUMBERS_H
#define VMSI_CLI_STACK_NUMBERS_H

#include "cli/recording/write.h"

/* The stacks that a recording has: each is told once, with its names demangled. */
struct vmsi_stack_numbers {
	struct vmsi_stack_number {
		uint64_t hash;
		uint32_t number;
		char *lines;  /* as they were taken; NULL: the place is free */
	} *places;            /* by hash; a power of two of them */
	size_t count, capacity;
};

/*
 * Returns the number of a stack, whose frames are lines, and tells it where it is new;
 * VMSI_NOBODY without memory.
 */
uint32_t vmsi_stack_number(struct vmsi_stack_numbers *numbers,
			   struct vmsi_recorder *recorder, const char *lines);

/* Whether that stack was told before. */
bool vmsi_stack_is_known(const struct vmsi_stack_numbers *numbers, const char *lines);
void vmsi_stack_numbers_free(struct vmsi_stack_numbers *numbers);

#endif
