/* SPDX-License-Identifier: MIT */
#ifndef VMSI_GROUP_REFRESH_HEAP_END_H
#define VMSI_GROUP_REFRESH_HEAP_END_H

#include <stdint.h>

#include "group/process/group.h"

/* Where the heap of brk ends. heap is the process that counts the memory. */

/*
 * Find the process that counts the heap which a brk of a process moves, by
 * vmsi_counter_update. If the end of the heap is not known yet, this looks at it.
 */
struct vmsi_process *vmsi_heap_update(struct vms_group *group,
				    struct vmsi_process *process);

/*
 * Look at the process, and return where its heap ends now: to the byte if that can
 * be told, and otherwise the end of the page.
 */
uintptr_t vmsi_heap_end(struct vms_group *group, struct vmsi_process *heap);

/* Note that a brk which asks for this end of the heap is about to be let through. */
void vmsi_heap_note_end(struct vms_group *group, struct vmsi_process *heap,
			uintptr_t end);

#endif
