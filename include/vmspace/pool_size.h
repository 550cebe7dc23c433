/* SPDX-License-Identifier: MIT */
#ifndef VMSPACE_POOL_SIZE_H
#define VMSPACE_POOL_SIZE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * How large a pool of pages is (vmspace/pool.h): its pages, which of them are free, its
 * RAM, and what is known of their use.
 */

typedef struct vms_pool vms_pool;

/*
 * How many pages there are. Never fails; 0 in the child of a fork.
 */
uint64_t vms_pool_pages(const vms_pool *pool);

/*
 * Make the file longer, so that there are at least so many pages; nothing moves. The new
 * ones are zero, but where somebody else has written there, and have no room on the disk
 * until they are written. They are the caller's: vms_pool_allocate does not give them
 * out. A file that is longer already is not cut. A block device does not grow; a pool
 * of memory does, at no cost.
 *
 * Returns 0; -1 with errno set on failure:
 *   ERANGE   more than the options said there would ever be.
 *   EACCES   the pool is VMS_POOL_READ_ONLY.
 *   EFBIG    RLIMIT_FSIZE (no SIGXFSZ is raised), or the largest file of the file system.
 *   ENOSPC, EIO, EINVAL, EPERM  as ftruncate(2); ENOSPC for a block device.
 *   EBADF    in the child of a fork.
 */
int vms_pool_grow(vms_pool *pool, uint64_t pages);

/*
 * Take a page that is free, the first there is, and otherwise a new one behind the last
 * (the file grows by an eighth, or 1 MiB, at a time). It is zero, and fixed for
 * VMS_POOL_WRITE.
 *
 * The pool does not keep on the disk which pages are free: the program knows it, by its
 * own pages, and tells by vms_pool_free after it has opened the pool. Until then none is,
 * but those that a growth made.
 *
 * page     where to write its number.
 *
 * Returns its address; NULL with errno set on failure:
 *   ENOSPC   there is no free page, and the pool cannot grow any more; or the disk.
 *   EACCES   the pool is VMS_POOL_READ_ONLY.
 *   ENOBUFS, ENOMEM, EIO, EFBIG, EBADF  as vms_pool_fix and vms_pool_grow.
 */
void *vms_pool_allocate(vms_pool *pool, uint64_t *page);

/*
 * Say that a page is free. What is in it is dropped and not written any more, and what is
 * aside of it is given back.
 *
 * Returns 0; -1 with errno set on failure:
 *   EBUSY    somebody has it fixed; or a flush by another thread, which writes it now.
 *   EINVAL   it is free.
 *   ERANGE   there is no such page.
 *   EACCES   the pool is VMS_POOL_READ_ONLY.
 *   ENOMEM   as vms_pool_fix.
 *   EBADF    in the child of a fork.
 */
int vms_pool_free(vms_pool *pool, uint64_t page);

/*
 * Change the RAM that a pool may have. What is too much is evicted before the call
 * returns; what is compressed, and too much, goes to the swap file. If the call fails, more
 * may have left than before, and the RAM that it may have is as it was.
 *
 * Returns 0; -1 with errno set on failure:
 *   EINVAL   as vms_pool_open; where pages are put aside there must be room for 8 of the
 *            pieces of the swap file, which were made for the RAM that it was opened with, as
 *            were some records: so less than a third of that may be too little, and swap_ram
 *            stays what it is.
 *   EBUSY    another thread is in this call.
 *   ENOMEM   the budget refuses; the records of what is aside take too much; the host has
 *            no memory to take huge pages back.
 *   ENOBUFS, EIO, ENOSPC  not enough can go, as vms_pool_fix.
 *   EBADF    in the child of a fork.
 */
int vms_pool_set_ram(vms_pool *pool, size_t ram);

enum vms_pool_hint {
	VMS_POOL_KEEP = 1, /* it will be used again and again */
	VMS_POOL_ONCE = 2, /* it is read once, as by a scan: let it go as it came */
	VMS_POOL_DONE = 3, /* it is not needed any more: let it go next */
};

/*
 * Say what is known of a page's use. For a page that is not there nothing happens.
 *
 * Returns 0; -1 with errno set on failure:
 *   EINVAL   an unknown hint.
 *   ERANGE   there is no such page.
 *   EBADF    in the child of a fork.
 */
int vms_pool_hint(vms_pool *pool, uint64_t page, enum vms_pool_hint hint);

#ifdef __cplusplus
}
#endif

#endif
