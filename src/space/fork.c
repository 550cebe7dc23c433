/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <stdatomic.h>

#include "base/mman.h"
#include "base/panic.h"
#include "host/host.h"
#include "space/fork.h"
#include "space/inside.h"
#include "space/records.h"
#include "space/registry.h"
#include "space/signs.h"
#include "space/space.h"
#include "space/walk.h"

/*
 * fork(2). The kernel does not pass everything on: in the child MADV_DONTFORK
 * mappings are gone, and nothing is locked. The fork handlers bring the child's
 * map in line with that before its own code runs. A child of a raw clone(2)
 * runs no handlers: its first call on the space finds a page that the kernel
 * has wiped (fork_state), and does the same.
 */

enum fork_state {
	FORKED = 0,   /* the kernel has wiped the page */
	MENDED = 1,   /* the map is right, as in the opener */
	MENDING = 2,  /* a thread is at it */
};

int vmsi_fork_watch(struct vms_space *space)
{
	const long page = vmsi_host_wiped_page();

	if (page < 0)
		return (int)page;
	space->fork_state = (_Atomic unsigned *)page;
	atomic_store(space->fork_state, MENDED);
	return 0;
}

void vmsi_fork_unwatch(struct vms_space *space)
{
	if (space->fork_state)
		vmsi_host.munmap((uintptr_t)space->fork_state,
				 vmsi_page_size());
}

static void unlock_memory(struct vmsi_mapping *piece, void *context)
{
	(void)context;
	piece->attributes.flags &=
		~(VMSI_LOCKED | VMSI_LOCK_ON_FAULT);
}

/* Take MADV_DONTFORK mappings out of the map, and cover their addresses. */
static void drop_unforked(struct vms_space *space)
{
	uintptr_t at = space->range.start;
	struct vmsi_mapping *mapping;

	while ((mapping = vmsi_map_find(&space->map, at))) {
		struct vmsi_range range = vmsi_mapping_range(mapping);

		at = range.end;
		if (!vmsi_has(&mapping->attributes, VMSI_DONTFORK))
			continue;
		if (vmsi_reserve_records(space))
			vmsi_panic("no memory to mend a space after fork");
		vmsi_forget(space, range);
		vmsi_cover_free(space, range);
	}
}

static void mend_copy(struct vms_space *space)
{
	if (space->has_dontfork)
		drop_unforked(space);
	if (space->has_locked && !vmsi_reserve_records(space))
		vmsi_change(space, space->range, unlock_memory, NULL);
	atomic_store(space->fork_state, MENDED);
}

void vmsi_fork_notice(struct vms_space *space)
{
	unsigned state = atomic_load_explicit(space->fork_state,
					      memory_order_acquire);

	if (state == MENDED)
		return;
	state = FORKED;
	if (atomic_compare_exchange_strong(space->fork_state, &state, MENDING)) {
		vmsi_lock_init(&space->lock, VMSI_RANK_SPACE);
		mend_copy(space);
		return;
	}
	while (atomic_load_explicit(space->fork_state, memory_order_acquire) !=
	       MENDED)
		;
}

/* --- handlers ------------------------------------------------------------------ */

static void before_fork(void)
{
	vmsi_lock_acquire_any(&vmsi_registry_lock);
	for (struct vms_space *space = vmsi_registry; space;
	     space = space->next) {
		vmsi_lock_acquire_any(&space->lock);
		/* The child may find no memory for the records it needs. */
		if (space->has_dontfork || space->has_locked)
			(void)vmsi_reserve_records(space);
	}
}

static void after_fork_in_parent(void)
{
	for (struct vms_space *space = vmsi_registry; space;
	     space = space->next)
		vmsi_lock_release_any(&space->lock);
	vmsi_lock_release_any(&vmsi_registry_lock);
}

static void after_fork_in_child(void)
{
	vmsi_signs_forked();
	vmsi_lock_release_any(&vmsi_registry_lock);
	for (struct vms_space *space = vmsi_registry; space;
	     space = space->next) {
		vmsi_lock_release_any(&space->lock);
		mend_copy(space);
	}
}

/* If pthread_atfork has no memory, the wiped page still tells of a fork. */
__attribute__((constructor)) void vmsi_fork_handle(void)
{
	static atomic_flag done = ATOMIC_FLAG_INIT;

	if (atomic_flag_test_and_set(&done))
		return;
	vmsi_budget_handle_fork();
	(void)pthread_atfork(before_fork, after_fork_in_parent,
			     after_fork_in_child);
}
