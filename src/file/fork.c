/* SPDX-License-Identifier: MIT */
#include "file/fork.h"

#include <pthread.h>

#include "file/appenders.h"
#include "file/atomic.h"
#include "file/file.h"
#include "file/gather.h"
#include "space/inside.h"

/*
 * The list of files, and fork(2): the child gets every file with no lock taken. What
 * it has of a description is its parent's, too; the first append makes one of its own
 * (appenders.c). The lock of who syncs is not taken before a fork, which would then
 * wait for the disk: it guards no field.
 */

static struct vmsi_lock list_lock = VMSI_LOCK_INITIALIZER(VMSI_RANK_REGISTRY);
static struct vms_file *files;

static void before_fork_of(struct vms_file *file)
{
	if (file->atomic)
		vmsi_atomic_hold(file);
	vmsi_lock_acquire_any(&file->lock);
	if (file->atomic)
		vmsi_atomic_before_fork(file);
}

static void before_fork(void)
{
	vmsi_lock_acquire_any(&list_lock);
	for (struct vms_file *file = files; file; file = file->next)
		before_fork_of(file);
}

static void after_fork_in_parent(void)
{
	for (struct vms_file *file = files; file; file = file->next) {
		if (file->atomic)
			vmsi_atomic_after_fork(file);
		vmsi_lock_release_any(&file->lock);
	}
	vmsi_lock_release_any(&list_lock);
}

static void after_fork_in_child(void)
{
	vmsi_lock_release_any(&list_lock);
	for (struct vms_file *file = files; file; file = file->next) {
		vmsi_lock_release_any(&file->lock);
		vmsi_lock_init(&file->sync_lock, VMSI_RANK_FILE_SYNC);
		vmsi_appenders_forked(file);
		vmsi_gather_forked(file);
		if (file->atomic)
			vmsi_atomic_forked(file);
	}
}

__attribute__((constructor)) void vmsi_file_handle_fork(void)
{
	static atomic_flag done = ATOMIC_FLAG_INIT;

	if (atomic_flag_test_and_set(&done))
		return;
	vmsi_fork_handle();
	(void)pthread_atfork(before_fork, after_fork_in_parent,
			     after_fork_in_child);
}

void vmsi_file_register(struct vms_file *file)
{
	vmsi_lock_acquire(&list_lock);
	file->next = files;
	files = file;
	vmsi_lock_release(&list_lock);
}

void vmsi_file_unregister(struct vms_file *file)
{
	struct vms_file **link = &files;

	vmsi_lock_acquire(&list_lock);
	while (*link != file)
		link = &(*link)->next;
	*link = file->next;
	vmsi_lock_release(&list_lock);
}

void vmsi_file_each(void (*act)(struct vms_file *file))
{
	vmsi_lock_acquire(&list_lock);
	for (struct vms_file *file = files; file; file = file->next)
		act(file);
	vmsi_lock_release(&list_lock);
}
