/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CODE_MEMORY_H
#define VMSI_CODE_MEMORY_H

#include "code/code.h"

/*
 * What the modes do with memory. Each call returns 0, or -errno and nothing has
 * changed. The pool's lock is held.
 */

/* Put the reservation over a range of the pool. */
int vmsi_code_cover(const struct vms_code *code, uintptr_t start, size_t length);

/*
 * Map a new chunk, at units [start, end), of which those up to memory_end have memory:
 * all of that traps, and the chunk's view is there. unmap gives back what the host
 * lets it.
 */
int vmsi_chunk_map(struct vms_code *code, size_t start, size_t memory_end,
		   size_t end);
void vmsi_chunk_unmap(struct vms_code *code, const struct vmsi_chunk *chunk);

/*
 * Give units [start, end) of a chunk that has its view memory that traps. They are
 * whole pages, and have none.
 */
int vmsi_pages_map(const struct vms_code *code, size_t start, size_t end);

/* Map the executable view of a chunk by descriptor run_fd. */
int vmsi_chunk_map_run(const struct vms_code *code, size_t start, size_t end,
		       int run_fd);

/* Map the writable view of a chunk that has none, or take it away. */
int vmsi_view_open(struct vms_code *code, struct vmsi_chunk *chunk);
int vmsi_view_close(struct vms_code *code, struct vmsi_chunk *chunk);

/* Note that a view is gone, or that it is of no chunk any more. */
void vmsi_view_forget(struct vms_code *code, struct vmsi_chunk *chunk);

/*
 * For units [start, end) of a chunk: make the bytes at the writable address traps; make
 * the units executable as they are written; make them trap again.
 */
void vmsi_units_begin(struct vms_code *code, size_t start, size_t end);
int vmsi_units_publish(struct vms_code *code, size_t start, size_t end);
int vmsi_units_wipe(struct vms_code *code, const struct vmsi_chunk *chunk,
		    size_t start, size_t end);

#endif
