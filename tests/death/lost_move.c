/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>

#include "death.h"
#include "host/host.h"

#define PAGES ((size_t)8)
/* The growth is more than a guard gap. */
#define GROWN_PAGES ((size_t)300)

/* The host grows no mapping in its place, and moves none once it was asked to. */
static long (*real_mremap)(uintptr_t old_address, size_t old_length,
			   size_t new_length, int flags, uintptr_t new_address);
static bool refuses;

static long refuse_mremap(uintptr_t old_address, size_t old_length,
			  size_t new_length, int flags, uintptr_t new_address)
{
	refuses |= !(flags & MREMAP_FIXED);
	return refuses ? -ENOMEM :
		real_mremap(old_address, old_length, new_length, flags,
			    new_address);
}

/*
 * Locked memory that is two mappings to the host moves in two parts and then grows.
 * Neither the growth nor the way back is to be had, so the memory is not where the
 * records say, and the program must not go on.
 */
int main(void)
{
	vms_space *space = open_space();
	char *memory = (char *)map_pages(space, PAGES);
	const size_t length = PAGES * page_size();

	/* In the way of a growth in place. */
	if (vms_mmap(space, memory + 2 * length, length, PROT_NONE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		     0) == MAP_FAILED)
		must(-1, "vms_mmap");
	/* The space is not told, and takes the two mappings of the host for one. */
	must(madvise(memory, length / 2, MADV_SEQUENTIAL), "madvise");
	must(vms_mlock(space, memory, length), "vms_mlock");
	real_mremap = vmsi_host.mremap;
	vmsi_host.mremap = refuse_mremap;
	misuse();
	(void)vms_mremap(space, memory, length, GROWN_PAGES * page_size(),
			 MREMAP_MAYMOVE, NULL);
	return 0;
}
