/* SPDX-License-Identifier: MIT */
#ifndef VMSI_GROUP_MEASURE_MEASURE_H
#define VMSI_GROUP_MEASURE_MEASURE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct vms_group;
struct vmsi_shared_objects;

/* The kernel's figures of one process; sizes in bytes. */
struct vmsi_measure {
	size_t committed;   /* private memory that is charged */
	size_t not_copied;  /* of that, what a fork leaves out: MADV_DONTFORK */
	size_t free;        /* private, writable and not charged, as huge pages are */
	size_t stack;       /* mappings that grow by themselves: MAP_GROWSDOWN */
	uintptr_t data_end; /* where brk ends; 0: not told */
	uintptr_t loader_start, loader_end; /* the dynamic loader; 0: none */
};

/*
 * Read the figures of a process, by a thread that it has, and add what it
 * shares to objects, unless that is NULL. Returns 0, or -ESRCH where the thread
 * has no memory any more, or -errno.
 */
int vmsi_measure_process(const struct vms_group *group, pid_t thread,
			 struct vmsi_measure *measure,
			 struct vmsi_shared_objects *objects);

/*
 * Read the figures of a program that has not asked for anything yet: it is
 * charged what it may write to, and the mappings tell that at a fraction of the
 * cost.
 */
int vmsi_measure_image(pid_t thread, struct vmsi_measure *measure);

/*
 * How many bytes of a range are private memory, and how many of those are
 * charged. Returns 0 or -errno.
 */
int vmsi_measure_range(const struct vms_group *group, pid_t thread,
		       uintptr_t start, uintptr_t end, size_t *private,
		       size_t *charged);

/*
 * Where the first mapping begins that has a byte of a range: in the range, or below
 * it. 0: there is none.
 */
uintptr_t vmsi_measure_start(pid_t thread, uintptr_t address, uintptr_t end);

#endif
