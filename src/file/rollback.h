/* SPDX-License-Identifier: MIT */
#ifndef VMSI_FILE_ROLLBACK_H
#define VMSI_FILE_ROLLBACK_H

struct vms_file;

/*
 * Contents and size become those of the latest commit. Returns 0 or -errno; after
 * -ENOMEM a part may be rolled back, and the rest is tried again by the next call.
 */
int vmsi_rollback(struct vms_file *file);

#endif
