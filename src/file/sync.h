/* SPDX-License-Identifier: MIT */
#ifndef VMSI_FILE_SYNC_H
#define VMSI_FILE_SYNC_H

struct vms_file;

/*
 * Make it durable that a file that was made is in its directory, if that was not done
 * yet. Returns 0 or -errno: it is tried again by the next call.
 */
int vmsi_sync_directory(struct vms_file *file);

#endif
