/* SPDX-License-Identifier: MIT */
#ifndef VMSI_GROUP_BREAKS_H
#define VMSI_GROUP_BREAKS_H

#include <stdint.h>

struct vms_group;
struct vmsi_process;

/*
 * Where brk has put the end of a process's data, to the byte. A refused brk
 * answers it, and /proc tells only the page. So the ends that were asked for and
 * let through are remembered, the latest last; which of them the kernel made is
 * told by the page.
 */
#define VMSI_BREAKS 32u

struct vmsi_breaks {
	uintptr_t ends[VMSI_BREAKS];
	unsigned count;
};

/* A program begins; its data end there. */
void vmsi_breaks_begin(struct vmsi_breaks *breaks, uintptr_t start);

/* A brk of a process goes to the kernel. heap counts the process's memory. */
void vmsi_breaks_note(struct vms_group *group, struct vmsi_process *heap,
		      uintptr_t end);

/* Where the data end now; looks at the process. */
uintptr_t vmsi_breaks_now(struct vms_group *group, struct vmsi_process *heap);

#endif
