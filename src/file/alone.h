/* SPDX-License-Identifier: MIT */
#ifndef VMSI_FILE_ALONE_H
#define VMSI_FILE_ALONE_H

#include <stdbool.h>

#include "base/align.h"
#include "file/journal.h"
#include "file/pageset.h"

struct vms_file;
struct vmsi_atomic;

/*
 * What commits, trims and rollbacks of an atomic file need of each other: to be alone
 * with its pages, and to learn which were written. With the lock `committing`.
 */

/*
 * Be alone with the pages: no update is open, and the lock of the file is held, until
 * the end.
 */
void vmsi_alone_begin(struct vms_file *file);
void vmsi_alone_end(struct vms_file *file);

/*
 * Stall all stores into what is mapped, with the gate closed; let them go on. Between
 * the two one may be alone. stall returns 0 or -errno: nothing is stalled.
 */
int vmsi_alone_stall(struct vms_file *file, struct vmsi_range *stalled);
void vmsi_alone_let_go(struct vms_file *file, struct vmsi_range stalled);

/*
 * Before the library itself stores into pages with the lock of the file, which whoever
 * lets stores go on needs: the pages can be stored to, though all are stalled. Without
 * `committing`. Returns 0 or -errno.
 */
int vmsi_alone_admit(struct vms_file *file, struct vmsi_page_run run);

/* Whether stores are stalled for as long as a commit takes: see tracker.h. */
bool vmsi_alone_stalls(const struct vmsi_atomic *atomic);

/* Add to `written` what the kernel knows to be; with the gate closed, the file's lock. */
int vmsi_alone_find(struct vms_file *file);

/* The sizes that the next record has; with the file's lock. */
struct vmsi_sizes vmsi_alone_sizes(const struct vms_file *file);

#endif
