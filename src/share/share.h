/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SHARE_SHARE_H
#define VMSI_SHARE_SHARE_H

#include <stdatomic.h>
#include <stdbool.h>

#include <vmspace/share.h>

#include "base/lock.h"
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
	_Atomic bool is_orphan; /* a child that has got no description */
	_Atomic uint32_t owner; /* owner.h; 0: it has no slot yet */
	_Atomic uint64_t used; /* bytes that this process uses at most */
	struct vms_share *next; /* of the process; fork.c */
};

static inline bool vmsi_share_reads(const struct vms_share *share)
{
	return share->flags & VMS_SHARE_READ_ONLY;
}

/* What the head says, as far as it can be true. */
static inline uint64_t vmsi_share_size(const struct vms_share *share)
{
	const uint64_t size = atomic_load_explicit(&share->head->size,
						   memory_order_acquire);

	return size < share->maximum ? size : share->maximum;
}

#endif
