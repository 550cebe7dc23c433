/* SPDX-License-Identifier: MIT */
#include "../outcome.h"

/* What heap_early_library.c has allocated before main. */

extern char *early_blocks[4];
extern int early_status;

static bool is_all(const char *block, char letter, size_t length)
{
	return block[0] == letter && memcmp(block, block + 1, length - 1) == 0;
}

static void at_exit(void)
{
	char *block = malloc(700000);

	say("at exit", "%s", block ? "a block" : "NULL");
	free(block);
}

int main(void)
{
	begin();
	atexit(at_exit);
	say("malloc", "%d", is_all(early_blocks[0], 'a', 300000));
	say("realloc", "%d", is_all(early_blocks[1], 'b', 1000));
	say("aligned_alloc", "%d", (uintptr_t)early_blocks[2] % 65536 == 0);
	say("calloc in a thread", "%d", is_all(early_blocks[3], 0, 300000));
	say("a child", "%d", early_status);
	early_blocks[0] = realloc(early_blocks[0], 9000000);
	say("grown", "%d", is_all(early_blocks[0], 'a', 300000));
	early_blocks[1] = realloc(early_blocks[1], 100);
	say("shrunk", "%d", is_all(early_blocks[1], 'b', 100));
	return 0;
}
