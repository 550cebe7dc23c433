/* SPDX-License-Identifier: MIT */
#include "pattern.h"

/* The growth patterns through vms_buffer; block_buffer.c has it. */
int main(int argc, char **argv)
{
	return pattern_main(argc, argv, growth_patterns, NULL);
}
