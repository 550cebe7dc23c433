/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CODE_PAGES_H
#define VMSI_CODE_PAGES_H

#include "code/code.h"

/*
 * Pages of chunks that have no memory (no_memory): all units of one are free, and a
 * jump there is SIGSEGV. With VMS_CODE_FLIPS there are none: what is free there is
 * pages that nobody has written to. The pool's lock is held.
 */

/*
 * Give the memory of pages back that have a unit of [start, end) and of which all
 * units are free. What the host refuses stays, and traps.
 */
void vmsi_pages_give(struct vms_code *code, size_t start, size_t end);

/*
 * See to it that units [start, end) have memory, which traps. Returns 0; -errno, and
 * some of it may have none.
 */
int vmsi_pages_need(struct vms_code *code, size_t start, size_t end);

/*
 * Make a jump to pages of a chunk that have no memory SIGSEGV, after the whole chunk
 * was mapped. Returns 0 or -errno.
 */
int vmsi_pages_bar(const struct vms_code *code, const struct vmsi_chunk *chunk);

/*
 * Note that units [start, end), pages of a chunk, have no memory; that they have some,
 * or are of no chunk any more.
 */
void vmsi_pages_note(struct vms_code *code, size_t start, size_t end);
void vmsi_pages_forget(struct vms_code *code, size_t start, size_t end);

static inline bool vmsi_units_have_memory(const struct vms_code *code, size_t start,
					  size_t end)
{
	const size_t limit = ((end - 1) >> code->page_shift) + 1;

	return vmsi_bits_next_set(code->no_memory, start >> code->page_shift,
				  limit) == limit;
}

#endif
