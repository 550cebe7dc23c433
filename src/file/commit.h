/* SPDX-License-Identifier: MIT */
#ifndef VMSI_FILE_COMMIT_H
#define VMSI_FILE_COMMIT_H

struct vms_file;

/* Commits of an atomic file. Each returns 0 or -errno. */

/* What was written becomes durable, in a turn with whoever else commits. */
int vmsi_commit(struct vms_file *file);

/* --- with the lock `committing` ----------------------------------------------------- */

/* Write home what an earlier commit could not. */
int vmsi_commit_catch_up(struct vms_file *file);

#endif
