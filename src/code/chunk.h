/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CODE_CHUNK_H
#define VMSI_CODE_CHUNK_H

#include "code/code.h"

/*
 * Chunks, and the units in them. Calls that return int return 0, or -errno and
 * nothing has changed. The pool's lock is held.
 */

/*
 * Find a chunk in which so many units are free in a row, with the view that it needs,
 * or make one. *start is the first of the units, which are still free.
 */
int vmsi_chunk_find(struct vms_code *code, size_t units,
		    struct vmsi_chunk **chunk, size_t *start);

/* Make units [start, end) of a chunk a block that is not published. */
void vmsi_chunk_take(struct vms_code *code, struct vmsi_chunk *chunk,
		     size_t start, size_t end);

/* Make units [start, end) of a chunk free, which were in a block. */
void vmsi_chunk_give(struct vms_code *code, struct vmsi_chunk *chunk,
		     size_t start, size_t end);

/*
 * Take the view of a chunk away if it has one and needs none: no block in it is
 * unpublished but those that the caller is publishing, and no more come from it.
 */
int vmsi_chunk_settle(struct vms_code *code, struct vmsi_chunk *chunk,
		      size_t publishing);

/* The same, for all chunks, as if no block came from any. */
int vmsi_chunks_settle(struct vms_code *code);

/*
 * Units [start, end) of a chunk are free: if it is not the current one, give back what
 * memory has no block now, that of pages or all of the chunk. What the host refuses to
 * unmap, all of which traps, stays until the next chunk is mapped over it.
 */
void vmsi_chunk_release(struct vms_code *code, struct vmsi_chunk *chunk,
			size_t start, size_t end);

/* The chunk after this one; NULL: the first, or none. */
struct vmsi_chunk *vmsi_chunk_next(struct vms_code *code,
				   const struct vmsi_chunk *chunk);

#endif
