/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "swap/append.h"
#include "swap/codec.h"
#include "swap/collect.h"
#include "swap/memory.h"
#include "swap/places.h"
#include "swap/scratch.h"
#include "swap/write.h"

/* The file is written to before there is no buffer left but so many. */
#define BUFFERS_AHEAD (VMSI_SWAP_BUFFERS_KEPT + 2)

static bool is_zero(const void *page, size_t bytes)
{
	const char *first = page;
	uint64_t word;

	memcpy(&word, page, sizeof(word));
	return word == 0 && memcmp(first, first + sizeof(word), bytes - sizeof(word)) == 0;
}

/* --- room --------------------------------------------------------------------------- */

/* See that there is more of what is needed. Returns 0: try again. */
static int make(struct vmsi_swap *swap, enum vmsi_need need, uint64_t failures)
{
	const int error = vmsi_write_make(swap, need, failures);

	return error == -ENOSPC && need != VMSI_NEED_MEMORY ? vmsi_collect(swap, failures) :
							      error;
}

static int take_place(struct vmsi_swap *swap, uint64_t failures, uint64_t *place)
{
	enum vmsi_need need;
	int error;

	while ((need = vmsi_place_need(swap)) != VMSI_NEED_NOTHING) {
		error = make(swap, need, failures);
		if (error)
			return error;
	}
	*place = vmsi_place_take(swap);
	/* What it had last is gone. */
	swap->places[*place] = VMSI_PLACE_FREE;
	return 0;
}

static int append(struct vmsi_swap *swap, uint64_t failures,
		  const struct vmsi_object *object, const void *bytes)
{
	enum vmsi_need need;
	uint64_t word;
	int error;

	while ((need = vmsi_append(swap, VMSI_FILL_PUT, object, bytes, &word)) !=
	       VMSI_NEED_NOTHING) {
		error = make(swap, need, failures);
		if (error)
			return error;
	}
	swap->places[object->place] = word;
	swap->figures.object_bytes += vmsi_place_size(word);
	swap->figures.raw_pages += object->codec == VMSI_SWAP_RAW;
	return 0;
}

/* --- one page ----------------------------------------------------------------------- */

static int put_zero(struct vmsi_swap *swap, uint64_t failures, uint64_t *place)
{
	const int error = take_place(swap, failures, place);

	if (error)
		return error;
	swap->places[*place] = VMSI_PLACE_ZERO;
	swap->figures.zero_pages++;
	return 0;
}

static int put_object(struct vmsi_swap *swap, uint64_t failures,
		      struct vmsi_object *object, const void *bytes, uint64_t *place)
{
	int error = take_place(swap, failures, place);

	if (error)
		return error;
	object->place = *place;
	error = append(swap, failures, object, bytes);
	if (error)
		vmsi_place_give(swap, *place);
	return error;
}

/*
 * An eighth at least has to be won by compression: then object and header are no larger
 * than a page, so a buffer for a page has room for them when they are read.
 */
static int put_page(struct vmsi_swap *swap, const struct vmsi_scratch *scratch,
		    uint64_t failures, const void *page, uint64_t *place)
{
	const size_t most = swap->page_bytes - swap->page_bytes / 8;
	struct vmsi_object object = { .codec = swap->codec };
	const void *bytes = scratch->packed;
	int error;

	if (is_zero(page, swap->page_bytes)) {
		vmsi_lock_acquire(&swap->lock);
		error = put_zero(swap, failures, place);
		vmsi_lock_release(&swap->lock);
		return error;
	}
	object.bytes = (uint32_t)vmsi_codec_pack(swap->codec, swap->level, scratch->state,
						 page, swap->page_bytes, scratch->packed,
						 most);
	if (!object.bytes) {
		object.bytes = (uint32_t)swap->page_bytes;
		object.codec = VMSI_SWAP_RAW;
		bytes = page;
	}
	vmsi_lock_acquire(&swap->lock);
	error = put_object(swap, failures, &object, bytes, place);
	vmsi_lock_release(&swap->lock);
	return error;
}

/* --- many --------------------------------------------------------------------------- */

int vmsi_swap_put(struct vmsi_swap *swap, const void *const pages[], size_t count,
		  uint64_t places[])
{
	struct vmsi_scratch scratch;
	uint64_t failures;
	size_t done = 0;
	int error = 0;

	vmsi_lock_acquire(&swap->lock);
	scratch = vmsi_scratch_take(swap, VMSI_SCRATCH_PUT);
	failures = swap->failures;
	if (swap->putters == 1)
		vmsi_collect_again(swap);
	vmsi_lock_release(&swap->lock);
	while (done < count && !error) {
		error = put_page(swap, &scratch, failures, pages[done], &places[done]);
		done += !error;
	}
	vmsi_lock_acquire(&swap->lock);
	while (error && done)
		vmsi_place_give(swap, places[--done]);
	vmsi_scratch_give(swap, &scratch, VMSI_SCRATCH_PUT);
	/* Who would have to write it itself leaves that to others as long as it can. */
	if (!error && vmsi_memory_buffers(swap) < BUFFERS_AHEAD && !vmsi_swap_is_alone(swap))
		(void)vmsi_write_begin(swap);
	vmsi_lock_release(&swap->lock);
	return error;
}

void vmsi_swap_free(struct vmsi_swap *swap, uint64_t place)
{
	vmsi_lock_acquire(&swap->lock);
	if (vmsi_place_is_used(swap, place))
		vmsi_place_give(swap, place);
	vmsi_lock_release(&swap->lock);
}
