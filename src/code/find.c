/* SPDX-License-Identifier: MIT */
#include "code/find.h"

bool vmsi_block_find(struct vms_code *code, const struct vms_code_block *block,
		     struct vmsi_place *place)
{
	const uintptr_t run = (uintptr_t)block->run;
	const size_t unit = (run - code->run.start) / VMSI_UNIT;

	if (run < code->run.start || run >= code->run.end ||
	    run % VMSI_UNIT != 0 || !vmsi_bit(code->in_block, unit))
		return false;
	place->chunk = vmsi_chunk_of_unit(code, unit);
	place->start = unit;
	place->end = vmsi_bits_next_set(code->last, unit,
					place->chunk->end) + 1;
	return unit == place->chunk->start ||
		!vmsi_bit(code->in_block, unit - 1) ||
		vmsi_bit(code->last, unit - 1);
}

bool vmsi_block_is_published(struct vms_code *code,
			     const struct vms_code_block *block)
{
	struct vmsi_place place;

	return vmsi_block_find(code, block, &place) &&
		vmsi_bit(code->published, place.start) &&
		block->size <= (place.end - place.start) * VMSI_UNIT;
}
