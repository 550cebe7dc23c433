/* SPDX-License-Identifier: MIT */
#include "block_reserved.h"

#include <string.h>
#include <sys/mman.h>

#include "block.h"
#include "pattern.h"

/*
 * What a growing block is measured against: memory that is all there from the
 * start, aligned to huge pages and to be backed by them, so that growing is
 * nothing but touching.
 */

#define HUGE_PAGE ((size_t)2 << 20)

void block_prepare(struct block *block, size_t maximum)
{
	size_t length = maximum + HUGE_PAGE;
	void *memory = mmap(NULL, length, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory == MAP_FAILED)
		pattern_fail("mmap");
	/* Refused where the kernel has no huge pages: then it is without. */
	(void)madvise(memory, length, MADV_HUGEPAGE);
	*block = (struct block){ .own = memory, .length = length };
	if (block_state == BLOCK_RESIDENT)
		memset(memory, 1, length);
}

void block_grow(struct block *block, size_t size)
{
	block->data = (char *)(((uintptr_t)block->own + HUGE_PAGE - 1) &
			       ~(HUGE_PAGE - 1));
	block->size = size;
}

void block_free(struct block *block)
{
	if (block_state == BLOCK_FRESH &&
	    madvise(block->own, block->length, MADV_DONTNEED) != 0)
		pattern_fail("madvise");
	block->data = NULL;
	block->size = 0;
}

void block_finish(struct block *block)
{
	if (munmap(block->own, block->length) != 0)
		pattern_fail("munmap");
}
