/* SPDX-License-Identifier: MIT */
#include "group/interruptible.h"

#include <errno.h>
#include <signal.h>
#include <linux/kcmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "group/tracer.h"

/*
 * Who is in the group. A process is known from its first request on, or from a
 * search of the tree. Its end is told by a pidfd; where there are no descriptors
 * left for one, a look at it finds out.
 */

/* So many that have ended are remembered, or up to twice as many. */
#define ENDED_KEPT ((size_t)4096)

#define DESCRIPTORS_KEPT 16u

/* Of children of children that have their memory with them; numbers come again. */
#define SHARERS_MOST 64

static struct vmsi_process **bucket_of(struct vms_group *group, pid_t pid)
{
	return &group->processes[(unsigned)pid % VMSI_PROCESS_BUCKETS];
}

struct vmsi_process *vmsi_process_find(struct vms_group *group, pid_t pid)
{
	struct vmsi_process *process = *bucket_of(group, pid);

	while (process && process->pid != pid)
		process = process->next;
	return process;
}

/* Some are kept for /proc, without which nothing can be granted. */
static bool is_of_the_last(int descriptor)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
		(rlim_t)descriptor + DESCRIPTORS_KEPT > limit.rlim_cur;
}

static void watch_end(struct vms_group *group, struct vmsi_process *process)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = process };

	process->pidfd = (int)syscall(SYS_pidfd_open, process->pid, 0);
	if (process->pidfd < 0)
		return;
	if (is_of_the_last(process->pidfd) ||
	    epoll_ctl(group->ends, EPOLL_CTL_ADD, process->pidfd, &event)) {
		close(process->pidfd);
		process->pidfd = -1;
	}
}

/* Not where the kernel cannot tell; and no more where one has gone. */
static bool have_one_memory(pid_t one, pid_t other)
{
	return syscall(SYS_kcmp, one, other, KCMP_VM, 0, 0) == 0;
}

void vmsi_process_leave(struct vms_group *group, struct vmsi_process *process)
{
	struct vmsi_process *other = process->shares_with ?
		vmsi_process_find(group, process->shares_with) : NULL;

	if (other)
		vmsi_account_leave(&group->account, &process->account,
				   &other->account);
	process->shares_with = 0;
}

bool vmsi_process_shares(struct vms_group *group, struct vmsi_process *process)
{
	if (!process->shares_with ||
	    have_one_memory(process->pid, process->shares_with))
		return process->shares_with != 0;
	/* One of the two executes another program, or has ended. */
	vmsi_process_leave(group, process);
	vmsi_group_look(group, process, process->pid);
	return false;
}

struct vmsi_process *vmsi_process_counter(struct vms_group *group,
					  struct vmsi_process *process)
{
	for (int i = 0; i < SHARERS_MOST &&
	     vmsi_process_shares(group, process); i++) {
		struct vmsi_process *other =
			vmsi_process_find(group, process->shares_with);

		if (!other)
			break;
		process = other;
	}
	return process;
}

struct copy {
	const struct vmsi_process *counter;
	size_t bytes;
};

static bool add_to_copy(struct vms_group *group, struct vmsi_process *process,
			void *context)
{
	struct copy *copy = context;

	if (vmsi_process_counter(group, process) == copy->counter)
		copy->bytes += vmsi_account_of(&process->account);
	return true;
}

size_t vmsi_process_copy(struct vms_group *group, struct vmsi_process *process)
{
	struct copy copy = { .counter = vmsi_process_counter(group, process) };

	vmsi_processes_each(group, add_to_copy, &copy);
	return copy.bytes;
}

/* --- memory that processes share without being parent and child ----------- */

struct sharer {
	const struct vmsi_process *of;
	pid_t found;
};

static bool has_its_memory(struct vms_group *group, struct vmsi_process *process,
			   void *context)
{
	struct sharer *sharer = context;

	(void)group;
	if (process != sharer->of && !process->shares_with &&
	    have_one_memory(process->pid, sharer->of->pid))
		sharer->found = process->pid;
	return sharer->found == 0;
}

/* Who counts the memory of a process; 0: it does itself. */
static pid_t find_sharer(struct vms_group *group,
			 const struct vmsi_process *process)
{
	struct sharer sharer = { .of = process };

	vmsi_processes_each(group, has_its_memory, &sharer);
	return sharer.found;
}

/* The one that counted it has no more to do with it. */
static bool inherit_memory(struct vms_group *group, struct vmsi_process *process,
			   void *context)
{
	const struct vmsi_process *counter = context;

	if (process->shares_with != counter->pid)
		return true;
	process->shares_with = find_sharer(group, process);
	if (process->shares_with)
		return true;
	process->breaks = counter->breaks;
	vmsi_group_look(group, process, process->pid);
	return true;
}

void vmsi_process_bequeath(struct vms_group *group,
			   const struct vmsi_process *counter)
{
	struct vmsi_process was = *counter;

	vmsi_processes_each(group, inherit_memory, &was);
}

bool vmsi_process_shares_handlers(const struct vmsi_process *one,
				  const struct vmsi_process *other)
{
	/* Who shares them shares memory. */
	return (one->shares_with || other->shares_with) &&
		syscall(SYS_kcmp, one->pid, other->pid, KCMP_SIGHAND, 0, 0) ==
			0;
}

/* At most what a child has; nothing of the first, which is a copy of none. */
static size_t has_at_most(const struct vms_group *group,
			  const struct vmsi_process *process)
{
	return process->pid == group->first ? 0 : vmsi_proc_data(process->pid);
}

/*
 * A child is charged what was granted to the parent that it has now. That need
 * not be who made it (CLONE_PARENT, a reaper of the group's own), nor the grant
 * its own.
 */
static void take_copy(struct vms_group *group, struct vmsi_process *process,
		      pid_t parent)
{
	const size_t needed = has_at_most(group, process);
	struct vmsi_process *known = vmsi_process_find(group, parent);
	struct vmsi_account_process *of = known ? &known->account : NULL;
	const struct vmsi_effect *copy = known || parent == getpid() ?
		vmsi_account_find_child(&group->account, of, needed) : NULL;
	const bool is_enough =
		(copy ? copy->bytes + copy->credit : 0) >= needed;

	if (!is_enough)
		process->shares_with = find_sharer(group, process);
	if (process->shares_with)
		return;
	if (copy)
		process->breaks = vmsi_account_born(&group->account, of,
						    &process->account,
						    needed).breaks;
	if (!is_enough)
		vmsi_group_look(group, process, process->pid);
}

/* The first of those who have one memory, each the child of another; or 0. */
static pid_t first_with_its_memory(pid_t pid, pid_t parent)
{
	struct vmsi_proc_stat stat;
	pid_t first = 0;

	while (parent != getpid() && have_one_memory(pid, parent)) {
		first = parent;
		if (!vmsi_proc_read_stat(first, &stat))
			break;
		parent = stat.parent;
	}
	return first;
}

/* A child has its parent's handlers until it executes a program. */
static void inherit_handlers(struct vms_group *group,
			     struct vmsi_process *process,
			     const struct vmsi_proc_stat *stat)
{
	const struct vmsi_process *parent =
		vmsi_process_find(group, stat->parent);

	if (parent && parent->interruptible && !stat->has_executed)
		vmsi_note_interruptible(group, process);
}

struct vmsi_process *vmsi_process_get(struct vms_group *group, pid_t pid)
{
	struct vmsi_process *process = vmsi_process_find(group, pid);
	struct vmsi_proc_stat stat = { .parent = 0 };

	if (process)
		return process;
	process = calloc(1, sizeof *process);
	if (!process)
		return NULL;
	process->pid = pid;
	process->next = *bucket_of(group, pid);
	*bucket_of(group, pid) = process;
	group->process_count++;
	vmsi_account_add(&group->account, &process->account);
	watch_end(group, process);
	(void)vmsi_proc_read_stat(pid, &stat);
	memcpy(process->command, stat.command, sizeof stat.command);
	process->heap_start = stat.heap_start;
	/* The child of a vfork, say, which is about to execute a program. */
	process->shares_with = first_with_its_memory(pid, stat.parent);
	/* It may have asked for nothing itself, and is to count it all. */
	if (process->shares_with) {
		(void)vmsi_process_get(group, process->shares_with);
		return process;
	}
	take_copy(group, process, stat.parent);
	inherit_handlers(group, process, &stat);
	return process;
}

/* --- threads ------------------------------------------------------------ */

/*
 * The number of a thread that has ended is given to another one; that of a
 * process not before its pidfd has told its end.
 */
static bool still_has(const struct vmsi_process *process, pid_t thread)
{
	if (process->pid == thread)
		return process->pidfd >= 0;
	return syscall(SYS_tgkill, process->pid, thread, 0) == 0 ||
		errno == EPERM;
}

struct vmsi_process *vmsi_process_of(struct vms_group *group, pid_t thread)
{
	struct vmsi_thread *known =
		&group->threads[(unsigned)thread % VMSI_THREADS];
	struct vmsi_process *process;
	pid_t pid;

	if (known->thread == thread) {
		process = vmsi_process_find(group, known->process);
		if (process && still_has(process, thread))
			return process;
	}
	pid = vmsi_proc_process_of(thread);
	if (pid <= 0)
		return NULL;
	*known = (struct vmsi_thread){ thread, pid };
	return vmsi_process_get(group, pid);
}

/* --- the end ------------------------------------------------------------ */

/*
 * Only those that were reparented to the supervisor are its to wait for; by their
 * descriptors, since the number may be another's that stops for the tracer.
 */
static void reap(struct vms_group *group, const struct vmsi_process *process)
{
	siginfo_t info = { .si_pid = 0 };
	const bool known = process->pidfd >= 0;

	if (process->pid == group->first)
		vmsi_process_reap_first(group);
	else
		(void)waitid(known ? P_PIDFD : P_PID,
			     (id_t)(known ? process->pidfd : process->pid),
			     &info, WEXITED | WNOHANG);
}

/* The tracer may have reaped it, and is not done with telling so. */
void vmsi_process_reap_first(struct vms_group *group)
{
	int status;
	pid_t got = waitpid(group->first, &status, WNOHANG);

	if (got < 0 && group->tracer)
		status = vmsi_tracer_first_status(group->tracer);
	else if (got != group->first)
		return;
	group->status = status;
	group->first_ended = true;
}

static void unlink_process(struct vms_group *group,
			   struct vmsi_process *process)
{
	struct vmsi_process **link = bucket_of(group, process->pid);

	while (*link != process)
		link = &(*link)->next;
	*link = process->next;
	group->process_count--;
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

/* Those that ended first are forgotten; a group may live for long. */
static void trim_ended(struct vms_group *group)
{
	struct vmsi_process *last = group->ended;

	if (group->ended_count < 2 * ENDED_KEPT)
		return;
	for (size_t i = 1; i < ENDED_KEPT; i++)
		last = last->next;
	free_list(last->next);
	last->next = NULL;
	group->ended_count = ENDED_KEPT;
}

void vmsi_process_ended(struct vms_group *group, struct vmsi_process *process)
{
	/* While it is still one of those that have the memory. */
	vmsi_refusals_end(group, process->pid);
	reap(group, process);
	vmsi_account_note_last(&group->account, &process->account);
	unlink_process(group, process);
	vmsi_process_leave(group, process);
	/* Its children are the supervisor's now. */
	vmsi_account_ended(&group->account, &process->account);
	if (process->pidfd >= 0)
		close(process->pidfd);
	process->pidfd = -1;
	vmsi_process_bequeath(group, process);
	process->next = group->ended;
	group->ended = process;
	group->ended_count++;
	trim_ended(group);
}

void vmsi_processes_each(struct vms_group *group,
			 bool (*visit)(struct vms_group *group,
				       struct vmsi_process *process,
				       void *context),
			 void *context)
{
	for (size_t i = 0; i < VMSI_PROCESS_BUCKETS; i++) {
		struct vmsi_process *process = group->processes[i], *next;

		for (; process; process = next) {
			next = process->next;
			if (!visit(group, process, context))
				return;
		}
	}
}

void vmsi_processes_free(struct vms_group *group)
{
	for (size_t i = 0; i < VMSI_PROCESS_BUCKETS; i++)
		free_list(group->processes[i]);
	free_list(group->ended);
}
