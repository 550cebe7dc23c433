/* SPDX-License-Identifier: MIT */
#ifndef VMSI_FILE_VIEW_H
#define VMSI_FILE_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/align.h"

struct vms_file;

/*
 * A view: a range of addresses that shows a file from an offset on. The base of a
 * file is one, and each window with addresses of its own.
 *
 * The handler of SIGBUS looks an address up among all views of the process, at any
 * instant and in any thread, so a view is written by atomic stores, and its memory
 * is used for views only until the process ends. While a handler may look at a view
 * or at its file, vmsi_view_remove does not return.
 *
 * Views of one file are added, moved and removed with the lock of the file held, or
 * while no other thread has the file: whoever maps the file over lost parts of its
 * views goes through them under that lock.
 */
struct vmsi_view;

/*
 * Make a view known. range and offset are whole pages. NULL: no memory.
 * The mapping is there already, and stays until the view is removed.
 */
struct vmsi_view *vmsi_view_add(struct vms_file *file, struct vmsi_range range,
				uint64_t offset);

/* Let a view show the file from another offset on. */
void vmsi_view_move(struct vmsi_view *view, uint64_t offset);

/* Forget a view; no handler looks at it any more when this returns. */
void vmsi_view_remove(struct vmsi_view *view);

/* --- looking views up ------------------------------------------------------------ */

/* What a view says. */
struct vmsi_shown {
	struct vms_file *file;
	struct vmsi_range range;
	uint64_t offset;
};

/*
 * What is shown at an address. Called by a handler that has entered. Goes through all
 * views: next to a fault, what a thousand of them take is nothing.
 */
bool vmsi_view_find(uintptr_t address, struct vmsi_shown *shown);

/*
 * The next view of a file, from *place on, which is 0 at first. Called with the lock
 * of the file.
 */
bool vmsi_view_next(const struct vms_file *file, uint32_t *place,
		    struct vmsi_shown *shown);

#endif
