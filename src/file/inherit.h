/* SPDX-License-Identifier: MIT */
#ifndef VMSI_FILE_INHERIT_H
#define VMSI_FILE_INHERIT_H

#include <stddef.h>

struct vms_file;

/*
 * What the child of a fork has of an atomic file. What its parent has written and not
 * committed it has a copy of, and nothing of the journal, which is the parent's.
 *
 * Pages that show the journal would change as the parent goes on to use it. Before the
 * fork the parent copies them, so that the child finds the copies and neither waits for
 * the other.
 */
struct vmsi_inheritance {
	char *pages;           /* of the spilled ones, in their order; NULL: none */
	size_t bytes;
};

/* By the handlers of fork, with the lock of the file held. */
void vmsi_inherit_prepare(struct vms_file *file);
void vmsi_inherit_forget(struct vms_file *file);   /* in the parent */
void vmsi_inherit_take(struct vms_file *file);     /* in the child */

#endif
