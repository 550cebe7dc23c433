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

/* What has become of handles in a range that was unmapped, moved or resized. */
void vmsi_handles_unmapped(struct vms_space *space, struct vmsi_range range);
void vmsi_handles_moved(struct vms_space *space, struct vmsi_range source,
			struct vmsi_range target);
void vmsi_handles_resized(struct vms_space *space, uintptr_t start,
			  size_t old_length, size_t new_length);
void vmsi_handles_release(struct vms_space *space);

/* The place of a handle. */
struct vmsi_entry;

/*
 * A new handle for a range. Returns 0; -EEXIST: part of it has one; or -ENOMEM
 * with its reason.
 */
int vmsi_handle_make(struct vms_space *space, struct vmsi_range range,
		     vms_handle *handle);

/*
 * The entry of a handle, and where its memory is; NULL and ESTALE: the handle
 * was closed or its memory is gone. Needs no lock.
 */
struct vmsi_entry *vmsi_handle_find(struct vms_space *space,
					   vms_handle handle,
					   uintptr_t *address, size_t *length);

/* Let a handle go. */
void vmsi_handle_drop(struct vms_space *space, struct vmsi_entry *entry,
		      struct vmsi_range range);

#endif
