/* SPDX-License-Identifier: MIT */
#include "ring/fork.h"

#include <errno.h>
#include <pthread.h>

#include "base/lock.h"
#include "host/host.h"
#include "ring/ring.h"
#include "space/inside.h"

static struct vmsi_lock list_lock = VMSI_LOCK_INITIALIZER(VMSI_RANK_REGISTRY);
static struct vms_ring *rings;

static void before_fork(void)
{
	vmsi_lock_acquire_any(&list_lock);
}

static void after_fork_in_parent(void)
{
	vmsi_lock_release_any(&list_lock);
}

static void after_fork_in_child(void)
{
	vmsi_lock_release_any(&list_lock);
	for (struct vms_ring *ring = rings; ring; ring = ring->next) {
		if (ring->lock_fd >= 0)
			(void)vmsi_host.close(ring->lock_fd);
		ring->lock_fd = -1;
		vmsi_ring_end(ring, EBADF);
	}
}

__attribute__((constructor)) static void handle_fork(void)
{
	vmsi_fork_handle();
	(void)pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

int vmsi_ring_register(struct vms_ring *ring, int fd)
{
	long opened;

	vmsi_lock_acquire(&list_lock);
	opened = vmsi_host.reopen(fd);
	if (opened >= 0) {
		ring->lock_fd = (int)opened;
		ring->next = rings;
		rings = ring;
	}
	vmsi_lock_release(&list_lock);
	return opened < 0 ? (int)opened : 0;
}

void vmsi_ring_unregister(struct vms_ring *ring)
{
	struct vms_ring **link = &rings;

	vmsi_lock_acquire(&list_lock);
	while (*link != ring)
		link = &(*link)->next;
	*link = ring->next;
	if (ring->lock_fd >= 0)
		(void)vmsi_host.close(ring->lock_fd);
	ring->lock_fd = -1;
	vmsi_lock_release(&list_lock);
}
