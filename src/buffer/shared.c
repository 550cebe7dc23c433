/* SPDX-License-Identifier: MIT */
#include <stdatomic.h>

#include "buffer/buffer.h"
#include "space/inside.h"

/* The space of buffers without a space of their own: opened once, never closed. */

#define MOST ((size_t)16 << 40)
#define LEAST ((size_t)64 << 20)

static _Atomic(vms_space *) shared;

static vms_space *open_of_size(size_t size)
{
	const struct vms_space_options options = {
		.struct_size = sizeof(options),
		.name = "buffers",
		/* The host alone decides what may be committed. */
		.commit_policy = VMS_COMMIT_ALWAYS,
		/*
		 * Near the addresses that the host chooses itself: a program under
		 * ThreadSanitizer may use no others.
		 */
		.placement = VMS_PLACE_TOP,
	};

	return vms_space_open(size, &options);
}

/*
 * Open the largest space that can be had, up to MOST. If it is smaller, addresses
 * are scarce, and it takes half of them and leaves as many to the program.
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
	/* Without a lock, which a fork in another thread could leave locked. */
	if (atomic_compare_exchange_strong(&shared, &theirs, space)) {
		vmsi_space_tell(space, VMSI_SIGN_BUFFERS, NULL);
		return space;
	}
	(void)vms_space_close(space);
	return theirs;
}
