/* SPDX-License-Identifier: MIT */
#include "../outcome.h"

/* Blocks above a malloc that does not tell how large its blocks are. */

static bool is_all(const char *block, char letter, size_t length)
{
	return block[0] == letter && memcmp(block, block + 1, length - 1) == 0;
}

int main(void)
{
	begin();
	for (size_t from = 1000; from < 3000000; from *= 3)
		for (size_t to = 1000; to < 3000000; to *= 3) {
			char *block = malloc(from);

			memset(block, 'p', from);
			block = realloc(block, to);
			say("resize", "%zu to %zu: %d", from, to,
			    is_all(block, 'p', from < to ? from : to));
			memset(block, 'q', to);
			free(block);
			block = calloc(1, to);
			say("calloc", "%zu: %d", to, is_all(block, 0, to));
			free(block);
		}
	return 0;
}
