/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include <vmspace.h>

#include "block.h"
#include "pattern.h"

/*
 * A vms_buffer with a maximum; without one where VMSPACE_BENCH_MOVABLE is set.
 * Making the buffer is part of the first growth.
 */

void block_prepare(struct block *block, size_t maximum)
{
	*block = (struct block){ .own = calloc(1, sizeof(vms_buffer)) };
	if (!block->own)
		pattern_fail("calloc");
	block->length = getenv("VMSPACE_BENCH_MOVABLE") ? 0 : maximum;
}

void block_grow(struct block *block, size_t size)
{
	vms_buffer *buffer = block->own;

	if (!block->data && vms_buffer_init(buffer, block->length, NULL) != 0)
		pattern_fail("vms_buffer_init");
	if (!vms_buffer_extend(buffer, size - block->size))
		pattern_fail("vms_buffer_extend");
	block->data = buffer->data;
	block->size = size;
}

void block_free(struct block *block)
{
	if (vms_buffer_free(block->own) != 0)
		pattern_fail("vms_buffer_free");
	block->data = NULL;
	block->size = 0;
}

void block_finish(struct block *block)
{
	free(block->own);
}
