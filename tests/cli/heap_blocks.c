/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * A program for 'vmspace heap'.
 *
 * usage: run_blocks SIZE [quiet]
 *
 * Allocates a block of SIZE bytes and doubles it; with quiet,
 * closes standard output and standard error before.
 */
int main(int argc, char **argv)
{
	size_t size = argc > 1 ? strtoul(argv[1], NULL, 0) : 1;
	char *block = malloc(size);

	if (argc > 2) {
		fclose(stdout);
		fclose(stderr);
	}
	if (!block)
		return 1;
	memset(block, 'b', size);
	block = realloc(block, 2 * size);
	if (!block || block[size - 1] != 'b')
		return 1;
	free(block);
	return 0;
}
