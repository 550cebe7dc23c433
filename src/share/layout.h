/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SHARE_LAYOUT_H
#define VMSI_SHARE_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

#include <vmspace/share_lock.h>

/*
 * The file of a share: a page with this at its beginning, and behind that page the bytes
 * of the share. It is as long as the maximum needs, so that its length says nothing and
 * never changes; the size is what is in the head.
 *
 * All who have a descriptor may write here. The first part is read once, when a process
 * attaches, and checked; the size is bounded by the maximum that was read then.
 */

#define VMSI_SHARE_MAGIC UINT64_C(0x3165726168736d76) /* "vmshare1" */
#define VMSI_SHARE_VERSION 1u

/* In size, besides the bytes: what lies behind it may still have to become zero. */
#define VMSI_SHARE_UNSWEPT (UINT64_C(1) << 63)

struct vmsi_share_head {
	uint64_t magic;        /* written last */
	uint32_t version;
	uint32_t page;         /* bytes */
	uint64_t maximum;      /* bytes, whole pages */
	uint64_t address;      /* of the bytes, in each process; 0: anywhere */
	char pad[32];
	/* The line that changes: apart from what is only read. */
	uint64_t size;
	char pad_behind[56];
	/* How often each slot of owner.h was taken. */
	uint32_t generations[VMS_SHARE_OWNERS];
};

_Static_assert(offsetof(struct vmsi_share_head, size) == 64,
	       "the size has a cache line of its own");
_Static_assert(sizeof(struct vmsi_share_head) <= 4096,
	       "the head is part of one page of any machine");

#endif
