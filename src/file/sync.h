/* SPDX-License-Identifier: MIT */
#ifndef VMSI_FILE_SYNC_H
#define VMSI_FILE_SYNC_H

struct vms_file;

/*
 * What an internal call was told of a write error, and nobody else: taken once.
 * Returns 0 or -errno.
 */
int vmsi_sync_take_error(struct vms_file *file);

/* Keep such an error. */
void vmsi_sync_keep_error(struct vms_file *file, int error);

/*
 * Mark what is in memory of a shared file as to be written again; see sync.c.
 * Returns 0 or -errno: some of it may not be marked.
 */
int vmsi_sync_mark_again(struct vms_file *file);

#endif
