/* SPDX-License-Identifier: MIT */
#include "code/check.h"

#include <string.h>

#include "base/panic.h"
#include "code/chunk.h"
#include "code/enter.h"
#include "code/pages.h"
#include "code/trap.h"

/* What holds whenever the lock of a pool is free. */

struct sums {
	size_t chunks, mapped, writable, used, blocks, unpublished, without;
};

static bool free_units_trap(const struct vms_code *code,
			    const struct vmsi_chunk *chunk)
{
	for (size_t unit = chunk->start; unit < chunk->end; unit++) {
		if (!vmsi_bit(code->in_block, unit) &&
		    vmsi_units_have_memory(code, unit, unit + 1) &&
		    memcmp((void *)vmsi_unit_address(code, unit),
			   vmsi_traps, VMSI_UNIT) != 0)
			return false;
	}
	return true;
}

/* Count the units and blocks of a chunk, from its bits. */
static bool add_blocks(const struct vms_code *code,
		       const struct vmsi_chunk *chunk, struct sums *sums)
{
	size_t at = chunk->start, unpublished = 0, free = 0;

	while (at < chunk->end) {
		const size_t start = vmsi_bits_next_set(code->in_block, at,
							chunk->end);
		size_t end;

		free += start - at;
		if (start == chunk->end)
			break;
		end = vmsi_bits_next_set(code->last, start, chunk->end) + 1;
		if (end > chunk->end ||
		    vmsi_bits_next_clear(code->in_block, start, end) != end)
			return false;
		unpublished += !vmsi_bit(code->published, start);
		sums->blocks++;
		sums->used += end - start;
		at = end;
	}
	sums->unpublished += unpublished;
	return free == chunk->free && unpublished == chunk->unpublished &&
		vmsi_bits_next_clear(code->in_block, chunk->start,
				     chunk->hint) == chunk->hint &&
		vmsi_bits_next_set(code->in_block, chunk->fresh,
				   chunk->end) == chunk->end;
}

/* Count the units that have no memory; false: one of them is in a block. */
static bool add_without(const struct vms_code *code,
			const struct vmsi_chunk *chunk, struct sums *sums)
{
	for (size_t unit = chunk->start; unit < chunk->end; unit++) {
		if (vmsi_units_have_memory(code, unit, unit + 1))
			continue;
		if (vmsi_bit(code->in_block, unit))
			return false;
		sums->without++;
	}
	return true;
}

static const char *check_chunk(struct vms_code *code, struct vmsi_chunk *chunk,
			       enum vmsi_code_checks checks, struct sums *sums)
{
	const size_t length = (chunk->end - chunk->start) * VMSI_UNIT;

	sums->chunks++;
	sums->mapped += length;
	sums->writable += chunk->has_view ? length : 0;
	if (!add_blocks(code, chunk, sums))
		return "C2: a chunk's counts are not those of its bits";
	if (code->mode != VMS_CODE_FLIPS && !code->shared &&
	    chunk->unpublished && !chunk->has_view)
		return "C3: a block is not published and has no view";
	if (chunk->has_view && !chunk->unpublished &&
	    vmsi_chunk_index(code, chunk) != code->current)
		return "C4: a view is there that nobody needs";
	if (!add_without(code, chunk, sums))
		return "C6: a block has no memory";
	if (checks == VMSI_CHECK_ALL && code->mode != VMS_CODE_FLIPS &&
	    !free_units_trap(code, chunk))
		return "C1: free code does not trap";
	return NULL;
}

const char *vmsi_code_check(struct vms_code *code, enum vmsi_code_checks checks)
{
	struct sums sums = { 0 };
	const char *broken = NULL;

	for (struct vmsi_chunk *chunk = vmsi_chunk_next(code, NULL);
	     chunk && !broken; chunk = vmsi_chunk_next(code, chunk))
		broken = check_chunk(code, chunk, checks, &sums);
	if (!broken && (sums.chunks != code->chunk_count ||
			sums.mapped != code->mapped ||
			sums.writable != code->writable ||
			sums.used != code->used ||
			sums.blocks != code->blocks ||
			sums.unpublished != code->unpublished ||
			sums.without >> code->page_shift != code->pages_without))
		broken = "C5: a pool's figures are not the sums over its chunks";
	return broken;
}

void vmsi_code_leave(struct vms_code *code)
{
#ifdef VMSI_DEBUG
	const char *broken = vmsi_code_check(code, VMSI_CHECK_RECORDS);

	if (broken)
		vmsi_panic(broken);
#endif
	vmsi_lock_release(&code->lock);
}
