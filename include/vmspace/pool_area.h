/* SPDX-License-Identifier: MIT */
#ifndef VMSPACE_POOL_AREA_H
#define VMSPACE_POOL_AREA_H

#include <vmspace/pool.h>

/*
 * Pools of pages (vmspace/pool.h) that keep their pages whole: VMS_POOL_WHOLE_PAGES, and
 * the path of an area in the options.
 *
 * No page is torn in the file, even if the machine stops while it is written. Pages go
 * first, durably, into a file of the pool's own, the area, and then to their places; what
 * a pool that was not closed has left there is written once more by vms_pool_open. That
 * takes each page to the disk twice, and an fdatasync(2) for a batch of them, which is of
 * 1 MiB at most, or a sixteenth of the RAM, and one of the file for each 15 batches.
 *
 * The area is made with the mode 0600 if it is not there, best beside the pool's file. It
 * takes up to 16 MiB, or 32 where pages are of 2 MiB, and it is one pool's at a time.
 *
 * Caveats.
 *
 * - A file whose pool was not closed must be opened with its area before anything else
 *   writes into it, or copies an older state into it (a backup, say): else what was
 *   pending in the area is written over that. Where it has happened, remove the area
 *   first. A backup that is moved to the file's place is another file, and is told: a file
 *   is known by its inode and the time of its birth. A block device is known by its size
 *   only.
 * - Who can write the area can write the file by it.
 * - vms_pool_close makes what was written durable, and the area is empty then. If it cannot
 *   be, the area keeps what it has for the next vms_pool_open, and nothing is told.
 * - A page that could not be written to its place is kept in the area until it can be.
 *   vms_pool_flush has the error until then.
 *
 * vms_pool_open fails with these, too, and with errnos of making, reading and writing files,
 * such as ENOSPC. Pages of the file may have been mended by then, and the area is as it was,
 * or empty where the file has all that it had:
 *   EEXIST  at the area's path is something else: a file that is no area, or that of the
 *           pool, or no file.
 *   EPERM   others than its owner may write the area, or it has another name; or its owner
 *           is neither that of the file, nor root, nor the user of the process.
 *   EBUSY   another pool has the area.
 *   EBADMSG the area is damaged, and pages of the file may be torn that it should have.
 *   ESTALE  the area has pages of another file, or of this one before it was made anew.
 *   EROFS   VMS_POOL_READ_ONLY, and the area has pages of which the file has something
 *           else: open it once for writing. (An area that is not there is none.)
 *   ENOTSUP the area is of another version of the library.
 *   EINVAL  an area without VMS_POOL_WHOLE_PAGES, or that without an area.
 */

#endif
