/* SPDX-License-Identifier: MIT */
#include "../../outcome.h"

/*
 * The high border of the space, where the first mapping ends: ranges that begin
 * inside a mapping of the space and go on outside.
 */

#define INSIDE 16
#define BEYOND 4

/* A mapping with free addresses behind it; the space's first ends at its end. */
static char *map_below_border(void)
{
	char *memory = mmap(NULL, INSIDE * page, RW, ANON, -1, 0);
	char *end = memory + INSIDE * page;
	char *beyond;

	if (memory == MAP_FAILED)
		exit(1);
	beyond = mmap(end, BEYOND * page, PROT_NONE, ANON | MAP_FIXED_NOREPLACE,
		      -1, 0);
	if (beyond == end) {
		(void)munmap(beyond, BEYOND * page);
	} else {
		/* Without a space, something lies there: make room. */
		memory = mmap(NULL, (INSIDE + BEYOND) * page, RW, ANON, -1, 0);
		if (memory == MAP_FAILED)
			exit(1);
		(void)munmap(memory + INSIDE * page, BEYOND * page);
	}
	memset(memory, 'A', INSIDE * page);
	return memory;
}

static void noreplace_over_a_tail(char *memory)
{
	char *half = memory + INSIDE / 2 * page;
	void *result = mmap(half, (INSIDE / 2 + BEYOND) * page, RW,
			    ANON | MAP_FIXED_NOREPLACE, -1, 0);

	say("noreplace over a tail", "%s, then %c",
	    result == MAP_FAILED ? strerror(errno) : "mapped", *half);
}

/* A hint into a mapping of the space is not followed. */
static void hint_into_a_mapping(char *memory)
{
	char *outside = mmap((void *)0x200000000000, page, RW,
			     ANON | MAP_FIXED_NOREPLACE, -1, 0);
	char *moved;

	if (outside == MAP_FAILED)
		exit(1);
	*outside = 'B';
	moved = mremap(outside, page, page, MREMAP_MAYMOVE | MREMAP_DONTUNMAP,
		       memory + 4 * page);
	say("hint into a mapping", "%s, %c at the hint, %c at the new place",
	    moved == MAP_FAILED ? strerror(errno) : "moved",
	    memory[4 * page], moved == MAP_FAILED ? '-' : *moved);
	/* The kernel may have put it behind the memory. */
	if (moved != MAP_FAILED)
		(void)munmap(moved, page);
}

static void sealed_tail(char *memory)
{
	char *end = memory + INSIDE * page;
	char *half = memory + INSIDE / 2 * page;
	char *beyond = mmap(end, BEYOND * page, RW, ANON | MAP_FIXED_NOREPLACE,
			    -1, 0);
	void *result;

	if (beyond == MAP_FAILED)
		exit(1);
	*beyond = 'C';
	if (syscall(SYS_mseal, memory, INSIDE * page, 0) < 0) {
		say("sealed tail", "cannot seal: %s", strerror(errno));
		return;
	}
	say("munmap over a sealed tail", "%s, then %c",
	    munmap(half, (INSIDE / 2 + BEYOND) * page) < 0 ? strerror(errno) :
							      "unmapped",
	    *beyond);
	result = mmap(half, (INSIDE / 2 + BEYOND) * page, RW, ANON | MAP_FIXED,
		      -1, 0);
	say("mmap over a sealed tail", "%s, then %c",
	    result == MAP_FAILED ? strerror(errno) : "mapped", *beyond);
}

int main(void)
{
	char *memory;

	page = (size_t)sysconf(_SC_PAGESIZE);
	memory = map_below_border();
	noreplace_over_a_tail(memory);
	hint_into_a_mapping(memory);
	sealed_tail(memory);
	return 0;
}
