/* SPDX-License-Identifier: MIT */
#ifndef VMSI_GROUP_REFRESH_LOOKS_H
#define VMSI_GROUP_REFRESH_LOOKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "group/process/group.h"

/*
 * A look reads the kernel's figures of processes and corrects the account by
 * them, which is too high as soon as a program gives memory back.
 */
struct vmsi_looks {
	uint64_t count;                /* of processes, ever */
	/* When a look that no request waits for may be made again. */
	uint64_t next_peak, next_files, next_stacks;
};

struct vmsi_shared_objects;

/* --- own.c: one process, that counts its memory itself -------------------- */

/*
 * Look at it by a thread that it has. What it shares is added to objects,
 * unless that is NULL. Where nothing can be read its count stays.
 */
void vmsi_look_at_own(struct vms_group *group, struct vmsi_process *process,
		      pid_t thread, struct vmsi_shared_objects *objects);

/* --- look.c: one process, or all ------------------------------------------ */

/*
 * Likewise at any process. Where another one counts its memory, look at that.
 */
void vmsi_look(struct vms_group *group, struct vmsi_process *process,
	       pid_t thread);

/*
 * A thread asks for something while an execve of its process is under way:
 * where the process is another program by now, count it anew.
 */
void vmsi_look_at_image(struct vms_group *group, struct vmsi_process *process,
			pid_t thread);

/* Find all processes, and look at everything that the group has. */
void vmsi_look_at_all(struct vms_group *group);

/* --- doubtful.c: as many as it takes -------------------------------------- */

/*
 * Look at one process after the other, of those whose counts may be too high by
 * most, until the sum is down to target or all are known.
 */
void vmsi_look_at_doubtful(struct vms_group *group, size_t target);

/* Likewise, but first at unseen children, and at the process that asks. */
void vmsi_look_to_lower(struct vms_group *group, struct vmsi_process *process,
			pid_t thread, size_t target);

/* --- peak.c --------------------------------------------------------------- */

/*
 * Before a request for bytes is charged: look, if it would make a new peak and
 * it is time for that. Returns whether the figures are those of a look, so that
 * the request makes the peak.
 */
bool vmsi_look_for_peak(struct vms_group *group, struct vmsi_process *process,
			pid_t thread, size_t bytes);

/* Look at everything, and raise the peak to the sum if that is one. */
void vmsi_look_at_all_for_peak(struct vms_group *group);

/* Nobody asks for anything: see whether the sum as it is makes a new peak. */
void vmsi_look_at_idle_peak(struct vms_group *group);

/*
 * When a look that no request waits for may follow one that began at a moment.
 */
uint64_t vmsi_next_look(uint64_t begin);

/* --- unasked.c: what grows without a call --------------------------------- */

/* Pages of files in memory are charged when they are touched. */
void vmsi_look_at_files(struct vms_group *group);

/* Stacks grow when they are touched. */
void vmsi_look_at_stacks(struct vms_group *group);

#endif
