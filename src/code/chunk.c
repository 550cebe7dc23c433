/* SPDX-License-Identifier: MIT */
#include "code/chunk.h"

#include <errno.h>

#include "code/memory.h"
#include "code/pages.h"
#include "space/inside.h"

/*
 * A chunk whose view was taken away gets it again, and so is writable again, only for
 * many blocks: when an eighth of it is free.
 */
#define REOPEN_PART 8

struct vmsi_chunk *vmsi_chunk_next(struct vms_code *code,
				   const struct vmsi_chunk *chunk)
{
	const size_t next = chunk ? chunk->next : code->first_chunk;

	return next == VMSI_NO_CHUNK ? NULL : &code->chunks[next];
}

static struct vmsi_chunk *current(struct vms_code *code)
{
	return code->current == VMSI_NO_CHUNK ? NULL :
						&code->chunks[code->current];
}

static size_t length_of(const struct vmsi_chunk *chunk)
{
	return (chunk->end - chunk->start) * VMSI_UNIT;
}

/* --- the list ------------------------------------------------------------------------ */

static void link_chunk(struct vms_code *code, struct vmsi_chunk *chunk)
{
	const size_t index = vmsi_chunk_index(code, chunk);

	chunk->previous = VMSI_NO_CHUNK;
	chunk->next = code->first_chunk;
	if (chunk->next != VMSI_NO_CHUNK)
		code->chunks[chunk->next].previous = index;
	code->first_chunk = index;
	code->chunk_count++;
	code->mapped += length_of(chunk);
}

static void unlink_chunk(struct vms_code *code, struct vmsi_chunk *chunk)
{
	if (chunk->previous == VMSI_NO_CHUNK)
		code->first_chunk = chunk->next;
	else
		code->chunks[chunk->previous].next = chunk->next;
	if (chunk->next != VMSI_NO_CHUNK)
		code->chunks[chunk->next].previous = chunk->previous;
	code->chunk_count--;
	code->mapped -= length_of(chunk);
}

/* --- making and releasing -------------------------------------------------------------- */

static size_t units_a_granule(const struct vms_code *code)
{
	return code->granule / VMSI_UNIT;
}

/*
 * Chunks grow with the pool: large ones take fewer calls of the host, and small ones
 * leave less code writable at a time. Memory for blocks comes by parts of a chunk.
 */
#define MOST_GRANULES 16
#define MEMORY_PART 4

/* How many granules a chunk has for so many units. */
static size_t granules_for(const struct vms_code *code, size_t units)
{
	const size_t each = units_a_granule(code);
	const size_t least = (units + each - 1) / each;
	const size_t wanted = vmsi_min(code->mapped / code->granule,
				       MOST_GRANULES);

	/* A long block has a chunk of its own. */
	return units >= each ? least : vmsi_max(wanted, least);
}

/*
 * For how many units memory is taken when so many are needed of a chunk of length: for
 * the next blocks, too, but nothing else comes from the chunk of a long one.
 */
static size_t memory_for(const struct vms_code *code, size_t units, size_t length)
{
	const size_t each = units_a_granule(code);

	if (code->mode == VMS_CODE_FLIPS)
		return length;
	return units < each ? vmsi_max(length / MEMORY_PART, each) :
		vmsi_align_up(units, (size_t)1 << code->page_shift);
}

static size_t find_granules(const struct vms_code *code, size_t count)
{
	return vmsi_bits_find_clear(code->in_chunk, 0, code->granules, count, 1);
}

/* Make a chunk for so many units; NULL, and *error is -errno. */
static struct vmsi_chunk *make_chunk(struct vms_code *code, size_t units,
				     int *error)
{
	const size_t each = units_a_granule(code);
	size_t count = granules_for(code, units);
	size_t at = find_granules(code, count), memory;
	struct vmsi_chunk *chunk;

	if (at == code->granules) {
		count = (units + each - 1) / each;
		at = find_granules(code, count);
	}
	memory = memory_for(code, units, count * each);
	*error = at == code->granules ?
		vmsi_refuse(VMS_REFUSAL_ADDRESSES) :
		vmsi_chunk_map(code, at * each, at * each + memory,
			       (at + count) * each);
	if (*error)
		return NULL;
	vmsi_bits_set(code->in_chunk, at, at + count);
	vmsi_pages_note(code, at * each + memory, (at + count) * each);
	chunk = &code->chunks[at];
	*chunk = (struct vmsi_chunk){
		.start = at * each,
		.end = (at + count) * each,
		.free = count * each,
		.hint = at * each,
		.fresh = at * each,
		.fails = SIZE_MAX,
		.has_view = code->mode != VMS_CODE_FLIPS,
	};
	link_chunk(code, chunk);
	return chunk;
}

static void drop_chunk(struct vms_code *code, struct vmsi_chunk *chunk)
{
	const size_t first = chunk->start / units_a_granule(code);
	const size_t last = chunk->end / units_a_granule(code);

	if (chunk->has_view && vmsi_view_close(code, chunk))
		vmsi_view_forget(code, chunk);
	vmsi_chunk_unmap(code, chunk);
	vmsi_pages_forget(code, chunk->start, chunk->end);
	unlink_chunk(code, chunk);
	vmsi_bits_clear(code->in_chunk, first, last);
	chunk->end = 0;
}

void vmsi_chunk_release(struct vms_code *code, struct vmsi_chunk *chunk,
			size_t start, size_t end)
{
	if (vmsi_chunk_index(code, chunk) == code->current)
		return;
	if (chunk->free == chunk->end - chunk->start)
		drop_chunk(code, chunk);
	else
		vmsi_pages_give(code, start, end);
}

/* --- views --------------------------------------------------------------------------- */

int vmsi_chunk_settle(struct vms_code *code, struct vmsi_chunk *chunk,
		      size_t publishing)
{
	if (!chunk->has_view || chunk->unpublished != publishing ||
	    vmsi_chunk_index(code, chunk) == code->current)
		return 0;
	return vmsi_view_close(code, chunk);
}

int vmsi_chunks_settle(struct vms_code *code)
{
	struct vmsi_chunk *before = current(code);
	const size_t earlier = code->current;
	int error = 0;

	code->current = VMSI_NO_CHUNK;
	for (struct vmsi_chunk *chunk = vmsi_chunk_next(code, NULL);
	     chunk && !error; chunk = vmsi_chunk_next(code, chunk))
		error = vmsi_chunk_settle(code, chunk, 0);
	if (error && before && before->has_view)
		code->current = earlier;
	else if (before)
		vmsi_chunk_release(code, before, before->start, before->end);
	return error;
}

/* --- units --------------------------------------------------------------------------- */

/* Find free units in a chunk; its end: there are none. */
static size_t find_units(const struct vms_code *code, struct vmsi_chunk *chunk,
			 size_t units)
{
	size_t at;

	if (chunk->free < units || chunk->fails <= units)
		return chunk->end;
	if (chunk->hint >= chunk->fresh && chunk->end - chunk->hint >= units)
		return chunk->hint;
	at = vmsi_bits_find_clear(code->in_block, chunk->hint, chunk->end,
				  units, code->step);
	if (at == chunk->end)
		chunk->fails = units;
	return at;
}

static bool may_take_from(const struct vms_code *code,
			  const struct vmsi_chunk *chunk)
{
	return code->mode == VMS_CODE_FLIPS || chunk->has_view ||
		chunk->free * REOPEN_PART >= chunk->end - chunk->start;
}

static struct vmsi_chunk *find_chunk(struct vms_code *code, size_t units,
				     size_t *start)
{
	for (struct vmsi_chunk *chunk = vmsi_chunk_next(code, NULL); chunk;
	     chunk = vmsi_chunk_next(code, chunk)) {
		if (!may_take_from(code, chunk))
			continue;
		*start = find_units(code, chunk, units);
		if (*start != chunk->end)
			return chunk;
	}
	return NULL;
}

/* Have blocks come from this chunk from now on; the one before needs no view then. */
static int make_current(struct vms_code *code, struct vmsi_chunk *chunk)
{
	struct vmsi_chunk *before = current(code);
	const size_t index = vmsi_chunk_index(code, chunk);
	const size_t earlier = code->current;
	int error = 0;

	if (index == earlier)
		return 0;
	code->current = index;
	if (before)
		error = vmsi_chunk_settle(code, before, 0);
	if (error)
		code->current = earlier;
	else if (before)
		vmsi_chunk_release(code, before, before->start, before->end);
	return error;
}

/* See to it that units of a chunk, and so some that follow, have memory. */
static int take_memory(struct vms_code *code, const struct vmsi_chunk *chunk,
		       size_t start, size_t units)
{
	size_t wanted;

	if (vmsi_units_have_memory(code, start, start + units))
		return 0;
	wanted = memory_for(code, units, chunk->end - chunk->start);
	return vmsi_pages_need(code, start, vmsi_min(start + wanted, chunk->end));
}

/* Find a chunk that is not the current one, or make one, and make it ready. */
static int find_another(struct vms_code *code, size_t units,
			struct vmsi_chunk **chunk, size_t *start)
{
	struct vmsi_chunk *found = find_chunk(code, units, start);
	int error = 0;

	if (!found) {
		found = make_chunk(code, units, &error);
		if (!found)
			return error;
		*start = found->start;
	}
	/* A block that fills a chunk leaves the current one as it is. */
	if (units < units_a_granule(code))
		error = make_current(code, found);
	if (!error && !found->has_view && code->mode != VMS_CODE_FLIPS)
		error = vmsi_view_open(code, found);
	if (!error)
		error = take_memory(code, found, *start, units);
	if (error) {
		const enum vms_refusal reason = vmsi_reason();

		vmsi_chunk_release(code, found, found->start, found->end);
		(void)vmsi_refuse(reason);
		return error;
	}
	*chunk = found;
	return 0;
}

int vmsi_chunk_find(struct vms_code *code, size_t units,
		    struct vmsi_chunk **chunk, size_t *start)
{
	struct vmsi_chunk *found = current(code);

	if (found && (found->has_view || code->mode == VMS_CODE_FLIPS)) {
		*start = find_units(code, found, units);
		*chunk = found;
		if (*start != found->end)
			return take_memory(code, found, *start, units);
	}
	return find_another(code, units, chunk, start);
}

void vmsi_chunk_take(struct vms_code *code, struct vmsi_chunk *chunk,
		     size_t start, size_t end)
{
	vmsi_bits_set(code->in_block, start, end);
	vmsi_bit_set(code->last, end - 1);
	chunk->free -= end - start;
	if (chunk->hint == start)
		chunk->hint = end;
	chunk->fresh = vmsi_max(chunk->fresh, end);
	chunk->unpublished++;
	code->unpublished++;
	code->blocks++;
	code->used += end - start;
}

void vmsi_chunk_give(struct vms_code *code, struct vmsi_chunk *chunk,
		     size_t start, size_t end)
{
	vmsi_bits_clear(code->in_block, start, end);
	vmsi_bit_clear(code->last, end - 1);
	chunk->free += end - start;
	chunk->hint = vmsi_min(chunk->hint, start);
	if (chunk->fresh == end)
		chunk->fresh = start;
	chunk->fails = SIZE_MAX;
	code->used -= end - start;
}
