/* SPDX-License-Identifier: MIT */
#ifndef VMSI_RING_MEMORY_H
#define VMSI_RING_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include <vmspace/ring.h>

/* The file of a ring and its mappings; layout.h has what is where. */

struct vms_ring;

/* What a file says of itself, checked. */
struct vmsi_ring_layout {
	enum vms_ring_kind kind;
	uint64_t capacity;
	unsigned alignment;
	uint64_t data_offset;
};

/*
 * The layout of a ring that is to be made. Returns 0, -EINVAL, or -EFBIG.
 */
int vmsi_ring_plan(struct vmsi_ring_layout *layout, enum vms_ring_kind kind,
		   size_t capacity, unsigned alignment);

/*
 * Make the file, with all its memory: with a path one of that name, else one in memory
 * that is sealed. *fd becomes the caller's. Returns 0 or -errno, and then there is none.
 */
int vmsi_ring_make_file(const char *path, unsigned mode,
			const struct vmsi_ring_layout *layout, int *fd);

/*
 * Read and check what a file says. flags: VMS_RING_UNSEALED. Returns 0 or -errno, as
 * vms_ring_attach has it.
 */
int vmsi_ring_read_file(int fd, unsigned flags, struct vmsi_ring_layout *layout);

/*
 * Map a file in a space of the ring's own, and fill in the ring's addresses. Returns 0 or
 * -errno.
 */
int vmsi_ring_map(struct vms_ring *ring, const struct vmsi_ring_layout *layout, int fd);

#endif
