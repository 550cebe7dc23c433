/* SPDX-License-Identifier: MIT */
#include "group/process/process.h"

#include <errno.h>
#include <linux/kcmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "group/process/group.h"
#include "group/process/proc.h"

/* How many of the processes that have ended are remembered, at least. */
#define ENDED_KEPT ((size_t)4096)

/* How many descriptors stay free for files of /proc, which each grant needs. */
#define DESCRIPTORS_KEPT 16u

static struct vmsi_process **bucket_of(struct vms_group *group, pid_t pid)
{
	return &group->members.living[(unsigned)pid % VMSI_PROCESS_BUCKETS];
}

struct vmsi_process *vmsi_process_find(struct vms_group *group, pid_t pid)
{
	struct vmsi_process *process = *bucket_of(group, pid);

	while (process && process->pid != pid)
		process = process->next;
	return process;
}

/* --- beginnings and ends -------------------------------------------------- */

static bool is_one_of_the_last(int descriptor)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
		(rlim_t)descriptor + DESCRIPTORS_KEPT > limit.rlim_cur;
}

/* Without a descriptor for it, the process is looked at now and then. */
static void watch_end(struct vms_group *group, struct vmsi_process *process)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = process };

	process->pidfd = (int)syscall(SYS_pidfd_open, process->pid, 0);
	if (process->pidfd < 0)
		return;
	if (is_one_of_the_last(process->pidfd) ||
	    epoll_ctl(group->members.ends, EPOLL_CTL_ADD, process->pidfd,
		      &event)) {
		close(process->pidfd);
		process->pidfd = -1;
	}
}

struct vmsi_process *vmsi_process_add(struct vms_group *group, pid_t pid)
{
	struct vmsi_process *process = calloc(1, sizeof *process);

	if (!process)
		return NULL;
	process->pid = pid;
	process->next = *bucket_of(group, pid);
	*bucket_of(group, pid) = process;
	group->members.count++;
	watch_end(group, process);
	return process;
}

static void unlink_process(struct vms_group *group,
			   struct vmsi_process *process)
{
	struct vmsi_process **link = bucket_of(group, process->pid);

	while (*link != process)
		link = &(*link)->next;
	*link = process->next;
	group->members.count--;
}

static void free_list(struct vmsi_process *process)
{
	while (process) {
		struct vmsi_process *next = process->next;

		if (process->pidfd >= 0)
			close(process->pidfd);
		vmsi_account_free_process(&process->account);
		free(process);
		process = next;
	}
}

/* A group may live for long: those that ended first are forgotten. */
static void trim_ended(struct vmsi_members *members)
{
	struct vmsi_process *last = members->ended;

	if (members->ended_count < 2 * ENDED_KEPT)
		return;
	for (size_t i = 1; i < ENDED_KEPT; i++)
		last = last->next;
	free_list(last->next);
	last->next = NULL;
	members->ended_count = ENDED_KEPT;
}

void vmsi_process_retire(struct vms_group *group, struct vmsi_process *process)
{
	struct vmsi_members *members = &group->members;

	unlink_process(group, process);
	if (process->pidfd >= 0)
		close(process->pidfd);
	process->pidfd = -1;
	process->next = members->ended;
	members->ended = process;
	members->ended_count++;
	trim_ended(members);
}

/* --- all of them ---------------------------------------------------------- */

bool vmsi_process_is_known(const struct vms_group *group, pid_t pid)
{
	const struct vmsi_process *ended = group->members.ended;

	if (vmsi_process_find((struct vms_group *)group, pid))
		return true;
	while (ended && ended->pid != pid)
		ended = ended->next;
	return ended != NULL;
}

struct vmsi_process *vmsi_process_next(const struct vms_group *group,
				       const struct vmsi_process *process)
{
	unsigned i = process ?
		(unsigned)process->pid % VMSI_PROCESS_BUCKETS + 1 : 0;

	if (process && process->next)
		return process->next;
	while (i < VMSI_PROCESS_BUCKETS && !group->members.living[i])
		i++;
	return i < VMSI_PROCESS_BUCKETS ? group->members.living[i] : NULL;
}

const struct vmsi_process *vmsi_process_nth(const struct vms_group *group,
					    size_t n)
{
	const struct vmsi_process *process = vmsi_process_next(group, NULL);

	for (; process && n > 0; n--)
		process = vmsi_process_next(group, process);
	if (process)
		return process;
	process = group->members.ended;
	for (; process && n > 0; n--)
		process = process->next;
	return process;
}

void vmsi_processes_free(struct vms_group *group)
{
	for (size_t i = 0; i < VMSI_PROCESS_BUCKETS; i++)
		free_list(group->members.living[i]);
	free_list(group->members.ended);
}

void vmsi_process_set_interruptible(struct vms_group *group,
				    struct vmsi_process *process)
{
	group->members.interruptible += !process->interruptible;
	process->interruptible = true;
}

/* --- threads -------------------------------------------------------------- */

/*
 * The number of a thread that has ended may be another process's by now. That
 * of a process is not, as long as its pidfd has not told its end.
 */
static bool still_has(const struct vmsi_process *process, pid_t thread)
{
	if (process->pid == thread)
		return process->pidfd >= 0;
	return syscall(SYS_tgkill, process->pid, thread, 0) == 0 ||
		errno == EPERM;
}

pid_t vmsi_process_of_thread(struct vms_group *group, pid_t thread)
{
	const unsigned i = (unsigned)thread % VMSI_THREADS;
	struct vmsi_members *members = &group->members;
	const struct vmsi_process *process;
	pid_t pid;

	if (members->threads[i].thread == thread) {
		process = vmsi_process_find(group, members->threads[i].process);
		if (process && still_has(process, thread))
			return process->pid;
	}
	pid = vmsi_proc_process_of(thread);
	if (pid > 0) {
		members->threads[i].thread = thread;
		members->threads[i].process = pid;
	}
	return pid;
}

/* --- in common ------------------------------------------------------------ */

/*
 * On a kernel without kcmp no two processes are known to have one memory, and each
 * counts it.
 */
bool vmsi_have_one_memory(pid_t one, pid_t other)
{
	return syscall(SYS_kcmp, one, other, KCMP_VM, 0, 0) == 0;
}

/*
 * Linux allows CLONE_SIGHAND only with CLONE_VM, so the kernel need not be asked of
 * processes with a memory of their own.
 */
bool vmsi_have_one_table_of_handlers(const struct vmsi_process *one,
				     const struct vmsi_process *other)
{
	return (one->shares_with || other->shares_with) &&
		syscall(SYS_kcmp, one->pid, other->pid, KCMP_SIGHAND, 0, 0) ==
			0;
}

pid_t vmsi_process_find_sharer(struct vms_group *group,
			       const struct vmsi_process *process)
{
	const struct vmsi_process *other = vmsi_process_next(group, NULL);

	while (other && (other == process || other->shares_with ||
			 !vmsi_have_one_memory(other->pid, process->pid)))
		other = vmsi_process_next(group, other);
	return other ? other->pid : 0;
}

pid_t vmsi_first_with_memory(pid_t child, pid_t parent)
{
	struct vmsi_proc_stat stat;
	pid_t first = 0;

	while (parent != getpid() && vmsi_have_one_memory(child, parent)) {
		first = parent;
		if (!vmsi_proc_read_stat(first, &stat))
			break;
		parent = stat.parent;
	}
	return first;
}

void vmsi_process_note_other(struct vms_group *group,
			     struct vmsi_process *process)
{
	while (process) {
		process->is_plain = false;
		process = process->shares_with ?
			vmsi_process_find(group, process->shares_with) : NULL;
	}
}
