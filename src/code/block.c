/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "code/caches.h"
#include "code/chunk.h"
#include "code/enter.h"
#include "code/find.h"
#include "code/memory.h"
#include "code/names.h"
#include "space/inside.h"

/* Blocks: alloc, publish, free. */

/* How many units a block of so many bytes has; 0: more than there are. */
static size_t units_for(const struct vms_code *code, size_t size)
{
	if (size > code->granules * code->granule)
		return 0;
	return vmsi_align_up(size, code->step * VMSI_UNIT) / VMSI_UNIT;
}

/* --- alloc --------------------------------------------------------------------------- */

static int alloc(struct vms_code *code, size_t size,
		 struct vms_code_block *block)
{
	const size_t units = units_for(code, size);
	struct vmsi_chunk *chunk;
	size_t start;
	int error;

	if (!units)
		return vmsi_refuse(VMS_REFUSAL_ADDRESSES);
	error = vmsi_chunk_find(code, units, &chunk, &start);
	if (error)
		return error;
	vmsi_units_begin(code, start, start + units);
	vmsi_chunk_take(code, chunk, start, start + units);
	block->run = (void *)vmsi_unit_address(code, start);
	block->write = (void *)(vmsi_unit_address(code, start) + code->delta);
	block->size = size;
	return 0;
}

int vms_code_alloc(vms_code *code, size_t size, struct vms_code_block *block)
{
	struct vmsi_attempts attempts = { 0 };
	int error;

	if (!code || !block || !size)
		return vmsi_status(-EINVAL);
	do {
		error = vmsi_code_enter(code);
		if (!error)
			error = alloc(code, size, block);
		vmsi_code_leave(code);
	} while (vmsi_try_again(code->space, error, &attempts));
	return vmsi_status(error);
}

/* --- publish --------------------------------------------------------------------------- */

/* Give the units of a block behind its first count ones back. */
static __attribute__((noinline)) int cut(struct vms_code *code,
					 struct vmsi_place *place, size_t count)
{
	const size_t end = place->start + count;
	int error = vmsi_units_wipe(code, place->chunk, end, place->end);

	if (error)
		return error;
	vmsi_bit_set(code->last, end - 1);
	vmsi_chunk_give(code, place->chunk, end, place->end);
	vmsi_chunk_release(code, place->chunk, end, place->end);
	place->end = end;
	return 0;
}

static int publish(struct vms_code *code, const struct vms_code_block *block,
		   bool *sync)
{
	struct vmsi_place place;
	size_t units;
	int error;

	if (!vmsi_block_find(code, block, &place) ||
	    vmsi_bit(code->published, place.start))
		return -EINVAL;
	units = units_for(code, block->size);
	if (!units || units > place.end - place.start)
		return -EINVAL;
	error = units == place.end - place.start ? 0 : cut(code, &place, units);
	if (!error)
		error = vmsi_units_publish(code, place.start, place.end);
	if (!error)
		error = vmsi_chunk_settle(code, place.chunk, 1);
	if (error)
		return error;
	vmsi_bit_set(code->published, place.start);
	place.chunk->unpublished--;
	code->unpublished--;
	*sync |= vmsi_needs_core_sync(code, place.chunk);
	return 0;
}

static int publish_all(struct vms_code *code, struct vms_code_block *blocks,
		       size_t count, size_t *done)
{
	bool sync = false;
	uint64_t frees;
	int error = vmsi_code_enter(code);

	for (; !error && *done < count; *done += !error) {
		error = publish(code, &blocks[*done], &sync);
		if (!error)
			blocks[*done].write = NULL;
	}
	code->core_syncs += sync;
	frees = code->frees;
	vmsi_code_leave(code);
	if (sync)
		vmsi_sync_cores(code, frees);
	return error;
}

size_t vms_code_publish_many(vms_code *code, struct vms_code_block *blocks,
			     size_t count)
{
	struct vmsi_attempts attempts = { 0 };
	size_t done = 0;
	int error;

	if (!code || (!blocks && count)) {
		(void)vmsi_status(-EINVAL);
		return 0;
	}
	do
		error = publish_all(code, blocks, count, &done);
	while (vmsi_try_again(code->space, error, &attempts));
	(void)vmsi_status(error);
	return done;
}

int vms_code_publish(vms_code *code, struct vms_code_block *block)
{
	return vms_code_publish_many(code, block, 1) == 1 ? 0 : -1;
}

/* --- free -------------------------------------------------------------------------------- */

static int free_block(struct vms_code *code, const struct vms_code_block *block)
{
	struct vmsi_place place;
	int error;

	if (!vmsi_block_find(code, block, &place))
		return -EINVAL;
	error = vmsi_units_wipe(code, place.chunk, place.start, place.end);
	if (!error && !vmsi_bit(code->published, place.start))
		error = vmsi_chunk_settle(code, place.chunk, 1);
	if (error)
		return error;
	vmsi_names_forget(code, vmsi_unit_address(code, place.start));
	vmsi_chunk_give(code, place.chunk, place.start, place.end);
	code->blocks--;
	if (vmsi_bit(code->published, place.start)) {
		place.chunk->freed = ++code->frees;
		vmsi_bit_clear(code->published, place.start);
	} else {
		place.chunk->unpublished--;
		code->unpublished--;
	}
	vmsi_chunk_release(code, place.chunk, place.start, place.end);
	return 0;
}

int vms_code_free(vms_code *code, struct vms_code_block *block)
{
	struct vmsi_attempts attempts = { 0 };
	int error;

	if (!code || !block)
		return vmsi_status(-EINVAL);
	if (!block->run && !block->size)
		return 0;
	do {
		error = vmsi_code_enter(code);
		if (!error)
			error = free_block(code, block);
		vmsi_code_leave(code);
	} while (vmsi_try_again(code->space, error, &attempts));
	if (!error)
		*block = (struct vms_code_block){ 0 };
	return vmsi_status(error);
}
