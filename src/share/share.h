/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SHARE_SHARE_H
#define VMSI_SHARE_SHARE_H

#include <stdatomic.h>
#include <stdbool.h>

#include <vmspace/share.h>

#include "base/lock.h"
#include "share/atomic.h"
#include "share/layout.h"

/* One process's part in a share. */
struct vms_share {
	/* Of who changes the share, or what this process uses of it. */
	struct vmsi_lock lock;
	vms_space *space;      /* the page of the head, and the bytes */
	struct vmsi_share_head *head;
	char *base;
	uint64_t maximum;
	int fd;                /* of a description that nobody else has */
	int child_fd;          /* the same for the child of a fork, while it is made */
	unsigned flags;        /* VMS_SHARE_* */
	bool is_sealed;
	bool is_complete;      /* what children of a fork have as well */
	_Atomic bool is_orphan; /* a child that has got no description */
	_Atomic uint32_t owner; /* owner.h; 0: it has no slot yet */
	_Atomic uint64_t used; /* bytes that this process uses at most */
	struct vms_share *next; /* of the process; fork.c */
};

static inline bool vmsi_share_reads(const struct vms_share *share)
{
	return share->flags & VMS_SHARE_READ_ONLY;
}

/* What a size in the head says, as far as it can be true. */
static inline uint64_t vmsi_share_bounded(const struct vms_share *share, uint64_t word)
{
	const uint64_t size = word & ~VMSI_SHARE_UNSWEPT;

	return size < share->maximum ? size : share->maximum;
}

static inline uint64_t vmsi_share_size(const struct vms_share *share)
{
	return vmsi_share_bounded(share, vmsi_share_load(&share->head->size));
}

static inline bool vmsi_share_is_unswept(const struct vms_share *share)
{
	return vmsi_share_load(&share->head->size) & VMSI_SHARE_UNSWEPT;
}

#endif
