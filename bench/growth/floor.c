/* SPDX-License-Identifier: MIT */
#include "block_reserved.h"
#include "pattern.h"

/*
 * The limit for fresh memory: touch memory that was reserved beforehand once,
 * by the steps of a growth pattern.
 */
const enum block_state block_state = BLOCK_FRESH;

int main(int argc, char **argv)
{
	return pattern_main(argc, argv, growth_patterns, NULL);
}
