/* SPDX-License-Identifier: MIT */
#ifndef VMSI_GROUP_ACCOUNT_BREAKS_H
#define VMSI_GROUP_ACCOUNT_BREAKS_H

#include <stdint.h>

/*
 * The addresses that brk was asked to end a process's heap at, and that the
 * supervisor let through, the latest last. A refused brk answers where the heap
 * ends, to the byte, but /proc tells only the page: which of the calls the
 * kernel has made is told by the page, and the byte stands here.
 */
#define VMSI_BREAKS 32u

struct vmsi_breaks {
	uintptr_t ends[VMSI_BREAKS];
	unsigned count;
};

/* The heap is known to end at an address; 0: it is not known where. */
static inline void vmsi_breaks_begin(struct vmsi_breaks *breaks, uintptr_t end)
{
	breaks->count = 0;
	if (end)
		breaks->ends[breaks->count++] = end;
}

#endif
