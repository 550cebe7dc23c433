/* SPDX-License-Identifier: MIT */
#ifndef VMSPACE_POOL_SNAPSHOT_H
#define VMSPACE_POOL_SNAPSHOT_H

#include <stddef.h>
#include <stdint.h>

#include <vmspace/pool.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Pools of pages (vmspace/pool.h) whose forked children have a snapshot: the pool as it
 * was at the fork, to read, while the parent goes on.
 *
 * - Up to VMS_POOL_SNAPSHOTS children at a time can have one. More, and those for which
 *   the host lacks something, have no pool, and their calls answer why: EAGAIN for one
 *   too many; ENOMEM, EMFILE, ENFILE, ENOLCK; ENOENT where /proc is not mounted.
 * - Nothing is fixed in the child, but for pages that were fixed for VMS_POOL_WRITE at
 *   the fork. Those are in the midst of a change, and EBUSY to who wants them; one that
 *   the forking thread had fixed itself the child may unfix or downgrade, and then it
 *   is there to be read. A state that goes over several pages is whole only if no thread
 *   was changing it: the program sees to that before it forks.
 * - VMS_POOL_WRITE, and what else would change the pool, is EACCES. vms_pool_flush does
 *   nothing, and vms_pool_prefetch reads nothing. The first call takes some nanoseconds
 *   for each page that was ever used.
 * - Each of both processes has up to ram. Pages that neither changes are in memory once.
 *   A budget is charged as if the child had opened the pool.
 * - While a child has a snapshot, what is in the file of a page is saved before it is
 *   first written: a read and a write more. Where that fails, or as much is saved as
 *   may be, the parent goes on, and what the child does not have yet is EIO to it. So it
 *   is, too, once the parent has closed the pool, or has ended: open the file anew for
 *   writing only when the parent has gone.
 * - fork(2) waits until a write of the pool is over, and with VMS_POOL_WHOLE_PAGES also an
 *   fdatasync(2). It copies the page tables of all that is in memory, and afterwards changes
 *   in either process copy pages.
 * - A snapshot ends with the child, by its exec, or by its vms_pool_close. The children
 *   that it forks have no pool.
 */

/* Children of one pool that have a snapshot at the same time. */
#define VMS_POOL_SNAPSHOTS 4

struct vms_pool_snapshot {
	/* sizeof(struct vms_pool_snapshot); lets the struct grow. */
	size_t struct_size;
	/*
	 * What is saved goes to this file, which is for that alone: what is in it is lost. It
	 * is open for reading and writing, may be without a name, stays the caller's and may
	 * be closed. For vms_pool_open
	 *   EINVAL  it is no file, or it is that of the pool; the pool is one that puts pages
	 *           aside (VMS_POOL_MEMORY, VMS_POOL_NO_STEAL), or VMS_POOL_TRANSPARENT;
	 *   EBADF   it is not open for reading and writing;
	 *   EBUSY   another pool has it, or a child of one that is closed;
	 *   ENOENT  /proc is not mounted.
	 */
	int fd;
	/*
	 * How much is saved there for each child at most, and as much again that the child
	 * itself writes there of what was dirty: bytes, a page to 2^24 - 1 pages. Each
	 * child takes 16 to 32 bytes a page of that from the ram of both. A child for which
	 * there is not so much has no pool, and its calls answer ENOMEM. 0: 256 MiB, or 8
	 * times the ram that the pool is opened with, where that is less.
	 *   EINVAL  it is not so;
	 *   EFBIG   RLIMIT_FSIZE is less than 8 times as much, for all children.
	 */
	uint64_t bytes;
};

#ifdef __cplusplus
}
#endif

#endif
