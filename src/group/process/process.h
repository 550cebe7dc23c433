/* SPDX-License-Identifier: MIT */
#ifndef VMSI_GROUP_PROCESS_PROCESS_H
#define VMSI_GROUP_PROCESS_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "group/account/account.h"
#include "group/account/breaks.h"

struct vms_group;

#define VMSI_SEVERAL_THREADS ((pid_t)-1)

/* A process of a group. */
struct vmsi_process {
	struct vmsi_process *next;     /* in its bucket, or among the ended */
	pid_t pid;
	/*
	 * The process that counts the memory which the two have in common
	 * (vfork, CLONE_VM); 0: this one counts its memory itself.
	 */
	pid_t shares_with;
	int pidfd;                     /* readable when it ends; -1: none */
	char command[16];
	struct vmsi_account_process account;
	uint64_t refusals;

	/* What the last look found, and what was let through since. */
	size_t not_copied;             /* bytes that a fork leaves out */
	size_t stack;                  /* bytes of MAP_GROWSDOWN; 0: not known */
	/*
	 * All private memory that it may write to is charged: the last look found no
	 * other, and it asked for no other since.
	 */
	bool is_plain;
	uintptr_t data_end;            /* where brk ends, at most; 0: not known */
	uintptr_t heap_start;          /* tells programs apart: each has its own */
	struct vmsi_breaks breaks;
	/* The thread of an execve, VMSI_SEVERAL_THREADS where two have one; 0: none. */
	pid_t executing;

	/* The dynamic loader's code, until something else asks for memory. */
	uintptr_t loader_start, loader_end;

	/* What signals do to its calls: see serve/interruptible.h. */
	bool traced;                   /* by the group's tracer, every thread */
	bool let_go;                   /* to a debugger, until it executes */
	bool interruptible;            /* its calls may answer EINTR */
};

#define VMSI_PROCESS_BUCKETS 1024u
#define VMSI_THREADS 4096u

/* Who is in a group. */
struct vmsi_members {
	struct vms_group *next;        /* another group of this supervisor */
	pid_t first;                   /* the process that was spawned */
	int ends;                      /* an epoll of the pidfds; -1: not made */
	size_t count;                  /* of those that live */
	struct vmsi_process *living[VMSI_PROCESS_BUCKETS]; /* by pid */
	struct vmsi_process *ended;    /* the last one first */
	size_t ended_count;
	uint64_t interruptible;        /* how many ever were */
	/* The process that a thread was of when /proc was asked, by thread. */
	struct {
		pid_t thread, process;
	} threads[VMSI_THREADS];
};

/* --- the supervisor's groups ---------------------------------------------- */

void vmsi_group_enlist(struct vms_group *group);
void vmsi_group_delist(struct vms_group *group);

/* Whether a process is the first of any group of this supervisor. */
bool vmsi_group_is_first(pid_t pid);

/* --- members -------------------------------------------------------------- */

/* A process that lives, by its number; NULL: it is not known. */
struct vmsi_process *vmsi_process_find(struct vms_group *group, pid_t pid);

/*
 * A process that is not known becomes a member, with nothing in its account,
 * and its end will be told. NULL: there is no memory.
 */
struct vmsi_process *vmsi_process_add(struct vms_group *group, pid_t pid);

/*
 * Move a process that has ended from the living to the ended. This does not change
 * the account.
 */
void vmsi_process_retire(struct vms_group *group, struct vmsi_process *process);

/* Whether a process lives or is among the last that have ended. */
bool vmsi_process_is_known(const struct vms_group *group, pid_t pid);

/* The number of the process that a thread is of; 0 or less: it has gone. */
pid_t vmsi_process_of_thread(struct vms_group *group, pid_t thread);

/*
 * Go through all processes that live, in no particular order: returns the one that
 * follows process, the first one if that is NULL, and NULL after the last. Processes
 * may be added while a caller does so.
 */
struct vmsi_process *vmsi_process_next(const struct vms_group *group,
				       const struct vmsi_process *process);

/*
 * Returns the nth process, from 0 on, of a list that has those that live and then
 * those that have ended; NULL: the list has not so many.
 */
const struct vmsi_process *vmsi_process_nth(const struct vms_group *group,
					    size_t n);
void vmsi_processes_free(struct vms_group *group);

/*
 * A process gets memory that may be private, writable and not charged: it, and who
 * counts its memory, is not plain until the next look.
 */
void vmsi_process_note_other(struct vms_group *group,
			     struct vmsi_process *process);

/* Note that calls of a process may answer EINTR from now on. */
void vmsi_process_set_interruptible(struct vms_group *group,
				    struct vmsi_process *process);

/* --- what the kernel says two processes have in common -------------------- */

/* Whether two processes have one memory; false where one of them has gone. */
bool vmsi_have_one_memory(pid_t one, pid_t other);

/* Whether two processes have one table of signal handlers (CLONE_SIGHAND). */
bool vmsi_have_one_table_of_handlers(const struct vmsi_process *one,
				     const struct vmsi_process *other);

/*
 * Returns the number of another member that has the memory of a process and counts
 * it; 0: there is none.
 */
pid_t vmsi_process_find_sharer(struct vms_group *group,
			       const struct vmsi_process *process);

/*
 * Go from a child to its parent, and on from parent to parent as long as they have the
 * child's memory. Returns the number of the last one that has it; 0: the child's
 * parent has not.
 */
pid_t vmsi_first_with_memory(pid_t child, pid_t parent);

#endif
