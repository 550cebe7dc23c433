/* SPDX-License-Identifier: MIT */
#ifndef VMSI_GROUP_REFRESH_LOOKS_H
#define VMSI_GROUP_REFRESH_LOOKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "group/process/group.h"

struct vmsi_proc_stat;

/*
 * A look reads the kernel's figures of processes and corrects the account by
 * them, which is too high as soon as a program gives memory back.
 */
struct vmsi_looks {
	uint64_t count;                /* how often a process was looked at */
	/*
	 * The supervisor also looks while nobody waits for an answer: at the peak, at
	 * files, at stacks and at marks. The times from which on it may do so again.
	 */
	uint64_t next_peak, next_files, next_stacks, next_marks, next_refused;
	/* After a refusal without a look: how many calls it may still be put off for. */
	unsigned owed;
};

struct vmsi_shared_objects;

/* --- own.c: a process that counts its memory itself ----------------------- */

/*
 * Read the figures of a process through one of its threads, and set its count in the
 * account to them. The objects that it has mapped are added to objects, unless that
 * is NULL. Where the figures cannot be read the count stays as it is.
 */
void vmsi_look_at_own(struct vms_group *group, struct vmsi_process *process,
		      pid_t thread, struct vmsi_shared_objects *objects);

/* --- look.c: one process, or all ------------------------------------------ */

/*
 * Look at any process. Where another process counts its memory, what this one was
 * granted goes to the count of that one, which is looked at.
 */
void vmsi_look(struct vms_group *group, struct vmsi_process *process,
	       pid_t thread);

/*
 * To be called when a thread makes a request and an execve of its process was let
 * through before. stat was read while the thread waited. Where the process runs
 * the new program by now, its memory is counted anew; where it does not yet,
 * nothing changes.
 */
void vmsi_look_at_image(struct vms_group *group, struct vmsi_process *process,
			pid_t thread, const struct vmsi_proc_stat *stat);

/* Find all processes, and look at everything that the group has. */
void vmsi_look_at_all(struct vms_group *group);

/* --- doubtful.c: as many as it takes -------------------------------------- */

/*
 * Look at one process after the other, each time at the one whose count may be too
 * high by most, until the sum is at most target or no count can be too high.
 */
void vmsi_look_at_doubtful(struct vms_group *group, size_t target);

/*
 * The same, after a search for the children of forks, which may have ended, and a
 * look at the process that makes the request.
 */
void vmsi_look_to_lower(struct vms_group *group, struct vmsi_process *process,
			pid_t thread, size_t target);

/* --- peak.c --------------------------------------------------------------- */

/*
 * Other processes may have given back what their last look counted, and objects
 * may have gone. Only a look at everything tells, so it is made if the sum is
 * still above the target.
 */
void vmsi_look_at_others(struct vms_group *group, size_t target);

/*
 * To be called before a request for bytes is charged. If that would make a new peak,
 * this looks at processes, unless the rise is small and the last such look was just
 * made. Returns whether it has looked: then the peak may rise with the charge.
 */
bool vmsi_look_for_peak(struct vms_group *group, struct vmsi_process *process,
			pid_t thread, size_t bytes);

/* Look at everything, and raise the peak to the sum if that is one. */
void vmsi_look_at_all_for_peak(struct vms_group *group);

/*
 * To be called while no request waits. Looks whether the sum as it is makes a new
 * peak.
 */
void vmsi_look_at_idle_peak(struct vms_group *group);

/*
 * Returns when the next look may be made that no request waits for, if the last one
 * began at begin and has ended now: such looks take a hundredth of the time.
 */
uint64_t vmsi_next_look(uint64_t begin);

/* --- floor.c: at least ----------------------------------------------------- */

/*
 * How much the group has committed at least, by one figure of the kernel's for each
 * process that is plain: the sum of what it may write to. That costs a hundredth of a
 * look. It leaves out objects, what is read-only by now, and other processes.
 */
size_t vmsi_look_at_floor(struct vms_group *group);

/*
 * A request was refused by that: everything is to be looked at as after any other
 * refusal, but for a hundredth of the time at most. The program that was refused has the
 * processor first, which it may have in common with the supervisor.
 */
void vmsi_look_owe(struct vms_group *group);

/*
 * Make the look that is owed, where nothing else is to be done or it was put off for
 * long enough. To be called after each call that was served. Returns whether it has
 * looked.
 */
bool vmsi_look_at_owed(struct vms_group *group, bool is_idle);

/* --- marks.c -------------------------------------------------------------- */

/*
 * To be called before a request for bytes is charged. Where that would reach a mark
 * by the account, this looks at as much as it takes to know. Returns whether it
 * will.
 */
bool vmsi_look_for_marks(struct vms_group *group, struct vmsi_process *process,
			 pid_t thread, size_t bytes);

/*
 * To be called while no request waits. Looks whether memory that came without a
 * request has reached a mark, and whether the sum has fallen below one.
 */
void vmsi_look_at_idle_marks(struct vms_group *group);

/* --- unasked.c: what grows without a call --------------------------------- */

/*
 * Look whether files in memory have grown: the kernel charges their pages when they
 * are touched, and no call tells of that.
 */
void vmsi_look_at_files(struct vms_group *group);

/* Look whether stacks have grown, which they do when they are touched. */
void vmsi_look_at_stacks(struct vms_group *group);

#endif
