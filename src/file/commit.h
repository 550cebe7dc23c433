/* SPDX-License-Identifier: MIT */
#ifndef VMSI_FILE_COMMIT_H
#define VMSI_FILE_COMMIT_H

#include "base/align.h"
#include "file/journal.h"

struct vms_file;

/* Commits of an atomic file. Each returns 0 or -errno. */

/* What was written becomes durable, in a turn with whoever else commits. */
int vmsi_commit(struct vms_file *file);

/* --- with the lock `committing` ----------------------------------------------------- */

/* Add to `written` what the kernel knows to be; with the gate closed, the file's lock. */
int vmsi_commit_find(struct vms_file *file);

/* The sizes that the next record has; with the file's lock. */
struct vmsi_sizes vmsi_commit_sizes(const struct vms_file *file);

/* Write home what an earlier commit could not. */
int vmsi_commit_catch_up(struct vms_file *file);

/* Tell readers that the home file is whole again; with the home lock. */
void vmsi_commit_tell_written(struct vms_file *file);

/*
 * Be alone with the pages: no update is open, and the lock of the file is held, until
 * the end.
 */
void vmsi_commit_begin_alone(struct vms_file *file);
void vmsi_commit_end_alone(struct vms_file *file);

/*
 * Stall all stores into what is mapped, with the gate closed; let them go on. Between
 * the two one may be alone. stall returns 0 or -errno: nothing is stalled.
 */
int vmsi_commit_stall(struct vms_file *file, struct vmsi_range *stalled);
void vmsi_commit_let_go(struct vms_file *file, struct vmsi_range stalled);

#endif
