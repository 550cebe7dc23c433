/* SPDX-License-Identifier: MIT */
#ifndef VMSI_GROUP_REFRESH_HEAP_END_H
#define VMSI_GROUP_REFRESH_HEAP_END_H

#include <stdint.h>

#include "group/process/group.h"

/* Where the heap of brk ends. heap is the process that counts the memory. */

/*
 * The process whose heap a brk of a process moves. It is looked at where
 * nothing is known of the heap's end.
 */
struct vmsi_process *vmsi_heap_find(struct vms_group *group,
				    struct vmsi_process *process);

/* Look where it ends now, to the byte if that can be told. */
uintptr_t vmsi_heap_end(struct vms_group *group, struct vmsi_process *heap);

/* A brk to an address is let through. */
void vmsi_heap_note_end(struct vms_group *group, struct vmsi_process *heap,
			uintptr_t end);

#endif
