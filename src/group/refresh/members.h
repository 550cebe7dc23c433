/* SPDX-License-Identifier: MIT */
#ifndef VMSI_GROUP_REFRESH_MEMBERS_H
#define VMSI_GROUP_REFRESH_MEMBERS_H

#include "group/process/group.h"

/* --- meet.c: a process is seen for the first time ------------------------- */

/*
 * A process by its number, or the process of a thread. One that is not known
 * yet becomes a member: what its parent's fork was charged for the copy becomes
 * its own. NULL: it has gone, or there is no memory to count it with.
 */
struct vmsi_process *vmsi_meet(struct vms_group *group, pid_t pid);
struct vmsi_process *vmsi_meet_thread(struct vms_group *group, pid_t thread);

/* --- tree.c: processes that have asked for nothing yet -------------------- */

/*
 * Meet all that live, and those among them that are children of the supervisor.
 */
void vmsi_tree_discover(struct vms_group *group);
void vmsi_tree_adopt(struct vms_group *group);

/* --- unborn.c: forks whose children have not been seen -------------------- */

/*
 * Meet all that live (vmsi_tree_discover). A fork that is known to have been
 * made and whose child is not among them is over: the child has ended.
 */
void vmsi_members_search(struct vms_group *group);

/*
 * The processes whose forks under way may copy what is mapped now into the
 * memory of a process, linked by next_copier. NULL: there are none, or copies
 * are free. Valid until the account changes.
 */
struct vmsi_account_process *
vmsi_members_forking(struct vms_group *group, struct vmsi_process *process);

/* --- copiers.c ------------------------------------------------------------ */

/*
 * Likewise for the memory that counter counts, by what is noted in shares_with:
 * neither the kernel is asked nor a process looked at.
 */
struct vmsi_account_process *
vmsi_members_noted_forking(struct vms_group *group,
			   const struct vmsi_process *counter);

#endif
