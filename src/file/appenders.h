/* SPDX-License-Identifier: MIT */
#ifndef VMSI_FILE_APPENDERS_H
#define VMSI_FILE_APPENDERS_H

#include <stdbool.h>

struct vms_file;

/*
 * Several processes that append to one file. All with the file's lock.
 *
 * No lock keeps them apart when they append: the kernel does, since each addition is
 * one call that adds at the end wherever that is (RWF_APPEND). So an append needs to
 * know neither the size of the file nor what others do, and makes four system
 * calls: fstat (whether the descriptor is the file's still), getrlimit, pwritev2, lseek.
 * It is apart from those, too, who append by write(2).
 *
 * What cannot be done in one call (take back what was written in part, lengthen the
 * file by fallocate(2), add more than one call can) is done only by a process that is
 * alone: from its first append on, each has a read lock on one byte of the file, far
 * past the end of any, and who gets a write lock there is alone until it gives it
 * back. Who comes meanwhile waits.
 *
 * A program may lock the whole file by fcntl(2) for itself, and that byte with it. Who
 * appends meanwhile does not wait for that: it is taken for one of others that append.
 */

/*
 * Before the first append: take the read lock. In a child of fork(2), which has
 * its parent's description and so its position, make one of its own first. Returns 0 or
 * -errno; -EBUSY: another process keeps others out.
 */
int vmsi_appenders_join(struct vms_file *file);

/*
 * Let no other process append as long as the file is open: its first append answers
 * EBUSY. -EBUSY: one has appended already, keeps others out itself, or has locked all
 * of the file.
 */
int vmsi_appenders_keep_out(struct vms_file *file);

/* Whether no other process appends; if so, none does until the next call. */
bool vmsi_appenders_shut_out(struct vms_file *file);
void vmsi_appenders_let_in(struct vms_file *file);

/* Give the locks back; and in a child of fork(2), leave them to the parent. */
void vmsi_appenders_close(struct vms_file *file);
void vmsi_appenders_forked(struct vms_file *file);

#endif
