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

/* Tell readers that the home file is whole again; with the home lock. */
void vmsi_commit_tell_written(struct vms_file *file);

#endif
