/* SPDX-License-Identifier: MIT */
#ifndef VMSI_FILE_COMMIT_H
#define VMSI_FILE_COMMIT_H

struct vms_file;

/* Commits of an atomic file. Each returns 0 or -errno. */

/* What was written becomes durable, in a turn with whoever else commits. */
int vmsi_commit(struct vms_file *file);

/* --- with the lock `committing` ----------------------------------------------------- */

/*
 * Write home what an earlier commit could not. Readers who stay in an access are waited
 * for, or for a moment only (-EAGAIN).
 */
enum vmsi_patience { VMSI_TRY, VMSI_WAIT };
int vmsi_commit_catch_up(struct vms_file *file, enum vmsi_patience patience);

#endif
