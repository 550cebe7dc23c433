/* SPDX-License-Identifier: MIT */
#include "pattern.h"

/*
 * What a program does with large blocks, by libc's calls only: the allocator is
 * that of the process, chosen by LD_PRELOAD.
 */
int main(int argc, char **argv)
{
	return pattern_main(argc, argv, growth_patterns, malloc_patterns);
}
