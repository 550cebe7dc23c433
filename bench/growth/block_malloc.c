/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "block.h"
#include "pattern.h"

/* The block of whichever malloc the process has. */

void block_prepare(struct block *block, size_t maximum)
{
	(void)maximum;
	*block = (struct block){ 0 };
}

void block_grow(struct block *block, size_t size)
{
	char *data = realloc(block->data, size);

	if (!data)
		pattern_fail("realloc");
	block->data = data;
	block->size = size;
}

void block_free(struct block *block)
{
	free(block->data);
	*block = (struct block){ 0 };
}

void block_finish(struct block *block)
{
	(void)block;
}
