/* SPDX-License-Identifier: MIT */
#include <stdatomic.h>

#include "buffer/buffer.h"

/* The space of buffers that were given none. It is opened once, closed never. */

#define MOST ((size_t)16 << 40)
#define LEAST ((size_t)64 << 20)

static _Atomic(vms_space *) shared;

static vms_space *open_of_size(size_t size)
{
	const struct vms_space_options options = {
		.struct_size = sizeof(options),
		.name = "buffers",
		/* What may be committed is the host's to say. */
		.commit_policy = VMS_COMMIT_ALWAYS,
		/*
		 * Next to the host's own choice of addresses: a program under
		 * ThreadSanitizer may use only those near the top.
		 */
		.placement = VMS_PLACE_TOP,
	};

	return vms_space_open(size, &options);
}

/*
 * Where addresses are limited, at most half of what can be had, so that the
 * rest of the program keeps as much.
 */
static vms_space *open_largest(void)
{
	size_t size = MOST;
	vms_space *space = open_of_size(size);

	if (space)
		return space;
	while (!space && size > LEAST) {
		size /= 2;
		space = open_of_size(size);
	}
	if (!space || vms_space_close(space) != 0)
		return space;
	return open_of_size(size / 2);
}

vms_space *vmsi_buffer_shared_space(void)
{
	vms_space *space = atomic_load_explicit(&shared, memory_order_acquire);
	vms_space *theirs = NULL;
	int earlier = errno;

	if (space)
		return space;
	space = open_largest();
	if (!space)
		return NULL;
	errno = earlier;
	/* No lock, so that a fork in another thread leaves nothing half done. */
	if (atomic_compare_exchange_strong(&shared, &theirs, space))
		return space;
	(void)vms_space_close(space);
	return theirs;
}
