/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/mman.h"
#include "host/host.h"

/*
 *   guard page | the memory | guard page
 *
 * A write of the program that runs past its own memory faults in a guard page
 * before it reaches the library's records.
 */

/*
 * Map length bytes outside of a range, a space's. Its open gaps are free to the
 * host, which may choose one of them; then twice as many bytes are asked for,
 * until they fit in none, and what was asked for too much is unmapped.
 */
static long place_outside(struct vmsi_range range, size_t length)
{
	size_t asked = length;

	for (;;) {
		long start = vmsi_host.mmap(0, asked, PROT_NONE,
					    MAP_PRIVATE | MAP_ANONYMOUS |
						    MAP_NORESERVE, -1, 0);
		struct vmsi_range got = { (uintptr_t)start,
					  (uintptr_t)start + asked };

		if (start < 0)
			return start;
		if (!vmsi_range_overlaps(got, range)) {
			if (asked > length)
				vmsi_host.munmap(got.start, asked - length);
			return (long)(got.end - length);
		}
		vmsi_host.munmap(got.start, asked);
		if (!vmsi_multiply(asked, 2, &asked))
			return -ENOMEM;
	}
}

void *vmsi_host_get_guarded(size_t bytes, struct vmsi_range avoid)
{
	const size_t guard = vmsi_page_size();
	long whole = place_outside(avoid, vmsi_host_guarded_bytes(bytes));
	uintptr_t memory;

	if (whole < 0)
		return NULL;
	memory = (uintptr_t)whole + guard;
	/*
	 * The host counts MAP_GROWSDOWN memory as stack, and not against the
	 * program's RLIMIT_DATA. The guard page keeps it from growing.
	 */
	if (vmsi_host.mmap(memory, bytes, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN |
				   MAP_FIXED, -1, 0) < 0) {
		vmsi_host.munmap((uintptr_t)whole,
				 vmsi_host_guarded_bytes(bytes));
		return NULL;
	}
	vmsi_host.name_memory(memory, bytes, "vmspace records");
	return (void *)memory;
}

void vmsi_host_put_guarded(void *memory, size_t bytes)
{
	vmsi_host.munmap((uintptr_t)memory - vmsi_page_size(),
			 vmsi_host_guarded_bytes(bytes));
}

size_t vmsi_host_guarded_bytes(size_t bytes)
{
	return bytes + 2 * vmsi_page_size();
}
