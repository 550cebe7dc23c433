/* SPDX-License-Identifier: MIT */
#include "share/fork.h"

#include <pthread.h>

#include "host/host.h"
#include "share/share.h"
#include "share/uses.h"
#include "space/inside.h"

/*
 * fork(2). What a process uses is told by the locks of its description, which a child
 * would hold together with its parent, and let go of for both. So the parent opens one
 * for the child first, with the same locks, and there is no moment in which nobody holds
 * them. A child that gets none has no part in the share; so it is with one that another
 * thread was opening or closing.
 */

static struct vmsi_lock list_lock = VMSI_LOCK_INITIALIZER(VMSI_RANK_REGISTRY);
static struct vms_share *shares;

static void open_for_child(struct vms_share *share)
{
	char link[VMSI_DESCRIPTOR_LINK_BYTES];
	long fd;

	share->child_fd = -1;
	if (share->fd < 0 || !share->is_complete)
		return;
	vmsi_descriptor_link(link, share->fd);
	fd = vmsi_share_reads(share) ? vmsi_host.open(link) :
				       vmsi_host.reopen(share->fd);
	if (fd < 0)
		return;
	if (vmsi_uses_take((int)fd, 0, atomic_load(&share->used)) != 0) {
		(void)vmsi_host.close((int)fd);
		return;
	}
	share->child_fd = (int)fd;
}

static void before_fork(void)
{
	vmsi_lock_acquire_any(&list_lock);
	for (struct vms_share *share = shares; share; share = share->next) {
		vmsi_lock_acquire_any(&share->lock);
		open_for_child(share);
	}
}

static void after_fork_in_parent(void)
{
	for (struct vms_share *share = shares; share; share = share->next) {
		if (share->child_fd >= 0)
			(void)vmsi_host.close(share->child_fd);
		share->child_fd = -1;
		vmsi_lock_release_any(&share->lock);
	}
	vmsi_lock_release_any(&list_lock);
}

/* The child's description gets the number that the program knows. */
static void become_child(struct vms_share *share)
{
	const bool has_own = share->child_fd >= 0 &&
		vmsi_host.replace(share->child_fd, share->fd) >= 0;

	if (share->child_fd >= 0)
		(void)vmsi_host.close(share->child_fd);
	if (!has_own && share->fd >= 0) {
		(void)vmsi_host.close(share->fd);
		share->fd = -1;
		atomic_store(&share->is_orphan, true);
	}
	share->child_fd = -1;
	/* The slot, and the locks that it has, are the parent's. */
	atomic_store(&share->owner, 0);
}

static void after_fork_in_child(void)
{
	for (struct vms_share *share = shares; share; share = share->next) {
		become_child(share);
		vmsi_lock_release_any(&share->lock);
	}
	vmsi_lock_release_any(&list_lock);
}

__attribute__((constructor)) static void handle_fork(void)
{
	vmsi_fork_handle();
	(void)pthread_atfork(before_fork, after_fork_in_parent,
			     after_fork_in_child);
}

void vmsi_share_register(struct vms_share *share)
{
	vmsi_lock_acquire(&list_lock);
	share->next = shares;
	shares = share;
	vmsi_lock_release(&list_lock);
}

void vmsi_share_unregister(struct vms_share *share)
{
	struct vms_share **link = &shares;

	vmsi_lock_acquire(&list_lock);
	while (*link != share)
		link = &(*link)->next;
	*link = share->next;
	vmsi_lock_release(&list_lock);
}
