/* SPDX-License-Identifier: MIT */
#include "../../outcome.h"

/*
 * More memory than a small space has: run with a space of 1 MiB and under
 * RLIMIT_AS. What the space cannot hold is the kernel's.
 */

#define COUNT 200
#define PAGES ((size_t)16)

static char *memory[COUNT];

static size_t wrong(size_t pages)
{
	size_t errors = 0;

	for (size_t i = 0; i < COUNT; i++)
		for (size_t k = 0; k < pages; k++)
			errors += memory[i][k * page] !=
				(k < PAGES ? (char)(i + k) : 0);
	return errors;
}

static void many(void)
{
	for (size_t i = 0; i < COUNT; i++) {
		memory[i] = anonymous(PAGES);
		for (size_t k = 0; k < PAGES; k++)
			memory[i][k * page] = (char)(i + k);
	}
	say("many", "%zu wrong", wrong(PAGES));
	for (size_t i = 0; i < COUNT; i++)
		memory[i] = must(mremap(memory[i], PAGES * page,
					2 * PAGES * page, MREMAP_MAYMOVE));
	say("grown", "%zu wrong", wrong(2 * PAGES));
	for (size_t i = 0; i < COUNT; i++)
		memory[i] = must(mremap(memory[i], 2 * PAGES * page,
					PAGES * page, 0));
	for (size_t i = 0; i < COUNT; i += 2)
		munmap(memory[i], PAGES * page);
	for (size_t i = 0; i < COUNT; i += 2)
		memory[i] = must(mremap(memory[i + 1], PAGES * page,
					PAGES * page, MREMAP_MAYMOVE |
					MREMAP_DONTUNMAP, NULL));
	say("moved aside", "%d %d", memory[0][0], memory[1][0]);
	for (size_t i = 0; i < COUNT; i++)
		munmap(memory[i], PAGES * page);
}

static void shared_aliases(void)
{
	char *shared = must(mmap(NULL, PAGES * page, RW, SHARED_ANON, -1, 0));

	shared[0] = 's';
	for (size_t i = 0; i < COUNT; i++)
		memory[i] = must(mremap(shared, 0, PAGES * page,
					MREMAP_MAYMOVE));
	shared[1] = 't';
	say("aliases", "%d %d", memory[0][0], memory[COUNT - 1][1]);
	for (size_t i = 0; i < COUNT; i++)
		munmap(memory[i], PAGES * page);
}

static void large(void)
{
	size_t length = (size_t)150 << 20;
	char *one = mmap(NULL, length, RW, ANON, -1, 0);

	mapped("large", one);
	one[length - 1] = 1;
	mapped("larger than all limits",
	       mmap(NULL, (size_t)1 << 60, PROT_NONE, ANON, -1, 0));
	outcome("unmapped", munmap(one, length));
}

int main(void)
{
	begin();
	many();
	shared_aliases();
	large();
	return 0;
}
