/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SPACE_HANDLE_TABLE_H
#define VMSI_SPACE_HANDLE_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include <vmspace/handle.h>

#include "base/align.h"

/* The handles of a space, which follow its mappings; see handle_table.c. */

struct vms_space;
struct vmsi_handles;

/*
 * Free, move, cut or lengthen the entries of a range that was unmapped, moved
 * or resized; free all at the end of the space.
 */
void vmsi_handles_unmapped(struct vms_space *space, struct vmsi_range range);
void vmsi_handles_moved(struct vms_space *space, struct vmsi_range source,
			struct vmsi_range target);
void vmsi_handles_resized(struct vms_space *space, uintptr_t start,
			  size_t old_length, size_t new_length);
void vmsi_handles_release(struct vms_space *space);

struct vmsi_entry;

/*
 * Make a handle for a range. Returns 0; -EEXIST if part of the range has one;
 * or -ENOMEM with its reason.
 */
int vmsi_handle_make(struct vms_space *space, struct vmsi_range range,
		     vms_handle *handle);

/*
 * Find the entry of a handle and read where its memory is. Returns NULL and
 * sets ESTALE if the handle was closed or its memory is gone. Needs no lock.
 */
struct vmsi_entry *vmsi_handle_find(struct vms_space *space,
					   vms_handle handle,
					   uintptr_t *address, size_t *length);

/* Close the handle of an entry whose memory is in range. */
void vmsi_handle_drop(struct vms_space *space, struct vmsi_entry *entry,
		      struct vmsi_range range);

#endif
