/* SPDX-License-Identifier: MIT */
#ifndef VMSI_FILE_GATHER_H
#define VMSI_FILE_GATHER_H

#include <stdint.h>

#include "file/file.h"

/*
 * VMS_FILE_GATHERS: what is appended is gathered in memory, and added to the file a
 * part at a time. The file has its space on disk already, past its end, so that a disk
 * that is full is told by the append.
 *
 *    | the file             | gathered     | space that it has       |
 *    0                      size           end                       space
 *
 * The offset that an append has told must stay right, so nobody else may append: the
 * file is locked for that as long as it is open (appenders.h).
 */

/* At the opening of such a file; -EBUSY: another process appends. */
int vmsi_gather_open(struct vms_file *file);

/* Write out, give back space past the end and close. Returns 0 or -errno. */
int vmsi_gather_close(struct vms_file *file);

/*
 * In a forked child: what the parent has gathered is the parent's, and the child
 * gathers nothing.
 */
void vmsi_gather_forked(struct vms_file *file);

/* With the file's lock, as vmsi_shared_append. */
int vmsi_gather_append(struct vms_file *file, const void *bytes, size_t length,
		       uint64_t *start);

/*
 * Add what is gathered to the file; with its lock. -errno: it stays gathered; -EBUSY:
 * it was added, and not where its appends have told, since another process has
 * appended by write(2).
 */
int vmsi_gather_write_out(struct vms_file *file);

/* The same, without the lock, and for files of any kind. */
int vmsi_gather_flush(struct vms_file *file);

/* Whether a range lies in the file, which has it when this returns 0; else -errno. */
int vmsi_file_reach(struct vms_file *file, uint64_t offset, uint64_t length);

#endif
