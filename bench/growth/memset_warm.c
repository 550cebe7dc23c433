/* SPDX-License-Identifier: MIT */
#include "block_reserved.h"
#include "pattern.h"

/* The limit for reused memory: write to resident memory, by the same steps. */
const enum block_state block_state = BLOCK_RESIDENT;

int main(int argc, char **argv)
{
	return pattern_main(argc, argv, growth_patterns, NULL);
}
