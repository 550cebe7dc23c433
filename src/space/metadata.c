/* SPDX-License-Identifier: MIT */
#include "host/host.h"
#include "space/inside.h"
#include "space/space.h"

/* The memory that the records of a space, or of a heap, are in. */

void *vmsi_records_get(void *context, size_t bytes)
{
	struct vms_space *space = context;
	const struct vmsi_range nowhere = { 0, 0 };
	void *chunk = vmsi_host_get_guarded(bytes,
					    space ? space->range : nowhere);

	if (chunk && space) {
		space->metadata += bytes;
		/*
		 * The host counts the chunk against RLIMIT_AS. With it in
		 * limits.mapped, limits.c takes it off what a call has mapped.
		 */
		space->limits.mapped += vmsi_host_guarded_bytes(bytes);
	}
	return chunk;
}

void vmsi_records_put(void *context, void *chunk, size_t bytes)
{
	struct vms_space *space = context;

	vmsi_host_put_guarded(chunk, bytes);
	if (space) {
		space->metadata -= bytes;
		space->limits.mapped -= vmsi_host_guarded_bytes(bytes);
	}
}
