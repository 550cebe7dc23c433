/* SPDX-License-Identifier: MIT */
#ifndef VMSI_FILE_VIEW_H
#define VMSI_FILE_VIEW_H

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

#endif
