/* SPDX-License-Identifier: MIT */
#ifndef VMSI_GROUP_STATE_H
#define VMSI_GROUP_STATE_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/types.h>

#include <vmspace/group.h>
#include <vmspace/process.h>

#include "group/account.h"
#include "group/array.h"
#include "group/breaks.h"
#include "group/memory_files.h"
#include "group/proc.h"
#include "group/refusals.h"

/*
 * The supervisor of a group. The filter (filter.c) has the kernel ask about the
 * calls that can charge. Each is decoded (request.c), counted in an account that
 * may only be too high (account.h, grant.c), and let through: the kernel itself
 * makes the mapping. What gives memory back is not notified, so before a refusal
 * the kernel's own figures are read (measure.c) and the account comes down.
 */

/* --- filter.c, listener.c: what the kernel asks about ------------------- */

/* A filter as the kernel takes it; fprog.filter is malloc's. */
int vmsi_filter_build(const struct vms_group_options *options,
		      struct sock_fprog *filter);

/* Whether the filter asks the supervisor about calls of a number. */
bool vmsi_filter_notifies(long call);

/* In the child: install it. Returns a listener or -errno. */
int vmsi_listener_install(const struct sock_fprog *filter);

/*
 * The next call; 1, 0 where there is none (its thread has gone), or -errno.
 * The notification must be zeroed.
 */
int vmsi_listener_receive(int listener, struct seccomp_notif *call);

/*
 * Let a call go on, or have it answer result (-errno, or a value). Returns
 * false where its thread has gone or was interrupted: the answer went nowhere.
 */
bool vmsi_listener_continue(int listener, uint64_t id);
bool vmsi_listener_answer(int listener, uint64_t id, int64_t result);

/* Whether the kernel lets a call go on. */
bool vmsi_listener_can_continue(int listener);

/* Ask that the kernel wakes the supervisor on the caller's processor. */
void vmsi_listener_tune(int listener);

/* --- processes.c: who is in the group ----------------------------------- */

struct vmsi_process {
	struct vmsi_process *next;     /* of the same hash, or ended */
	pid_t pid;
	pid_t shares_with;             /* has all memory with its parent; 0: no */
	int pidfd;                     /* readable when it ends; -1: none */
	char command[16];
	struct vmsi_account_process account;
	size_t not_copied;             /* by fork, at the last look */
	size_t stack;                  /* that grows by itself; 0: not known */
	uint64_t refusals;
	uintptr_t data_end;            /* of the heap of brk; 0: not known */
	uintptr_t heap_start;          /* of brk's; another in most programs */
	struct vmsi_breaks breaks;
	bool traced;                   /* by the group's tracer, all of it */
	bool let_go;                   /* for a debugger, until it executes */
	bool interruptible;            /* its calls may answer EINTR */
	pid_t executing;               /* the thread of an execve; 0: none */
	/* Where the dynamic loader is, until something else asks. */
	uintptr_t loader_start, loader_end;
};

#define VMSI_PROCESS_BUCKETS 1024u

/* A thread, and the process that it is of or was of when it was last asked. */
struct vmsi_thread {
	pid_t thread;
	pid_t process;
};

#define VMSI_THREADS 4096u

/* Of mmap's flags. */
#define VMSI_MAP_KIND 0x0fu

struct vms_group {
	struct vms_group *next;        /* of the supervisor's groups */
	int listener;
	int ends;                      /* an epoll of the processes' pidfds */
	int epoll;                     /* of it and the listener, for others */
	pid_t first;
	int status;
	bool first_ended;
	bool first_ended_told;
	struct vms_group_options options;
	struct vmsi_account account;
	uint64_t next_peak_look;       /* the clock */
	uint64_t next_asking;
	uint64_t next_stack;
	uint64_t born;                 /* the clock when it was made */
	uint64_t addresses_end;        /* of programs */
	uint64_t requests, calls, refusals, injected, looks;
	uint64_t granted_again;        /* of what was refused, and not in refusals */
	struct vmsi_held_refusals held;
	uint64_t interruptible;        /* processes */
	struct vmsi_tracer *tracer;    /* NULL: not needed yet */
	uint64_t chance;               /* state of the random numbers */
	/* The last one that was refused on demand, and what may follow it. */
	struct {
		pid_t thread;
		size_t bytes;
		const enum vms_group_call *instead; /* ends with that of fork */
	} refused;
	size_t process_count;
	struct vmsi_process *processes[VMSI_PROCESS_BUCKETS];
	struct vmsi_process *ended;    /* the last ones, the latest first */
	size_t ended_count;
	struct vmsi_thread threads[VMSI_THREADS];
	bool made_segments;            /* of System V */
	bool maps_files;               /* shared, and charged by the page */
	struct vmsi_memory_files files;
	uint64_t next_file_look;       /* the clock */
	uint64_t next_stack_look;
	uint64_t *tmpfs;               /* devices of file systems in memory */
	size_t tmpfs_count;
	bool unused;                   /* no process has the filter any more */
	struct seccomp_notif *call;    /* as large as this kernel's */
	size_t call_bytes;
};

/* Whether memory that was mapped with MAP_NORESERVE counts. */
static inline bool
vmsi_counts_noreserve(const struct vms_group_options *options)
{
	return options->policy == VMS_COMMIT_STRICT &&
		!(options->flags & VMS_GROUP_NORESERVE_FREE);
}

/* The process of a thread; made where it is new. NULL: it has gone. */
struct vmsi_process *vmsi_process_of(struct vms_group *group, pid_t thread);

/* Whether a process is the first of any group of this supervisor's. */
bool vmsi_group_is_first(pid_t pid);
void vmsi_group_enlist(struct vms_group *group);
void vmsi_group_delist(struct vms_group *group);

/* A process by its number, made where it is new. NULL: no memory. */
struct vmsi_process *vmsi_process_get(struct vms_group *group, pid_t pid);
struct vmsi_process *vmsi_process_find(struct vms_group *group, pid_t pid);

/* Whether a process has its memory with another one, which counts it. */
bool vmsi_process_shares(struct vms_group *group, struct vmsi_process *process);

/*
 * A process has its memory with no other any more: what it was granted since the
 * last look is of the one that it leaves.
 */
void vmsi_process_leave(struct vms_group *group, struct vmsi_process *process);

/* A process has left a memory that it counted: another one is to. */
void vmsi_process_bequeath(struct vms_group *group,
			   const struct vmsi_process *counter);

/* Whether two processes have their signal handlers in common. */
bool vmsi_process_shares_handlers(const struct vmsi_process *one,
				  const struct vmsi_process *other);

/* The process that counts the memory of another; of most, itself. */
struct vmsi_process *vmsi_process_counter(struct vms_group *group,
					  struct vmsi_process *process);

/* The first process has ended, or had not when it was last tried. */
void vmsi_process_reap_first(struct vms_group *group);

/* What a fork of a process copies at most, bytes. */
size_t vmsi_process_copy(struct vms_group *group, struct vmsi_process *process);

/* A process has ended: what it had comes back. */
void vmsi_process_ended(struct vms_group *group, struct vmsi_process *process);

/* Call visit with each living process; false ends it. */
void vmsi_processes_each(struct vms_group *group,
			 bool (*visit)(struct vms_group *group,
				       struct vmsi_process *process,
				       void *context),
			 void *context);
void vmsi_processes_free(struct vms_group *group);

/* --- unborn.c: children that have not been seen -------------------------- */

/*
 * What is granted to a process while others that have its memory fork may be
 * copied, too: those, linked as the account has it. NULL: there are none, or
 * copies are free. Valid until the account changes.
 */
struct vmsi_account_process *
vmsi_unborn_copiers(struct vms_group *group, struct vmsi_process *process);

/* What a child has of the break of a process that forks. */
struct vmsi_breaks vmsi_unborn_breaks(struct vms_group *group,
				      struct vmsi_process *process);

/*
 * Find all that live (vmsi_tree_discover), and drop the forks that were made and
 * whose children have ended.
 */
void vmsi_unborn_settle(struct vms_group *group);

/* --- tree.c: all that live ---------------------------------------------- */

/* Find processes of the group that have asked for nothing yet. */
void vmsi_tree_discover(struct vms_group *group);

/* Of them, those that became the supervisor's children. */
void vmsi_tree_adopt(struct vms_group *group);

struct vmsi_objects;

/* --- measure.c: the kernel's own figures -------------------------------- */

struct vmsi_measure {
	size_t committed;   /* private memory, bytes */
	size_t not_copied;  /* of it by fork: MADV_DONTFORK */
	size_t stack;       /* of it, mappings that grow by themselves */
	uintptr_t data_end; /* of brk */
	uintptr_t loader_start, loader_end; /* the dynamic loader; 0: none */
};

/*
 * Look at a process, by a thread that it has. objects gets what it shares; it
 * may be NULL. Returns 0, or -ESRCH where the thread has gone, or -errno.
 */
int vmsi_measure_process(const struct vms_group *group, pid_t thread,
			 struct vmsi_measure *measure,
			 struct vmsi_objects *objects);

/*
 * Look at a program that has not asked for anything yet: what it may write to
 * is what it is charged. That is told at a fraction of the cost.
 */
int vmsi_measure_image(pid_t thread, struct vmsi_measure *measure);

/* Private memory in a range: all of it, and what of it is charged. */
int vmsi_measure_range(const struct vms_group *group, pid_t thread,
		       uintptr_t start, uintptr_t end, size_t *private,
		       size_t *charged);

/* Where the first mapping of a range begins, maybe below it; 0: there is none. */
uintptr_t vmsi_measure_start(pid_t thread, uintptr_t address, uintptr_t end);

/* --- request.c: what a call asks for ------------------------------------ */

struct vmsi_request {
	enum vms_group_call call;
	size_t bytes;       /* at most */
	bool shared;        /* they belong to an object, not to the process */
	uintptr_t data_end; /* of brk */
	struct vmsi_process *heap; /* who counts what brk moves */
	size_t moved;       /* by mremap, and may be missed meanwhile; bytes */
	key_t key;          /* of shmget */
	struct vmsi_file_part file; /* of a file in memory: the bytes' */
	int descriptor;     /* of it, the thread's */
	size_t replaced;    /* of what it would be charged, by MAP_FIXED */
	/* What the call works on; see vmsi_request_net. */
	uintptr_t start, end;
};

/* Up to whole pages; 0 where that wraps round. */
size_t vmsi_pages(uint64_t bytes);

/* Returns false for a call that charges nothing. */
bool vmsi_request_decode(struct vms_group *group, struct vmsi_process *process,
			 pid_t thread, const struct seccomp_data *data,
			 struct vmsi_request *request);

/* Of what a request asks for at most, what it would really be charged. */
size_t vmsi_request_net(const struct vms_group *group,
			const struct vmsi_process *process, pid_t thread,
			struct vmsi_request *request);

/*
 * A look has been made since a request was decoded, and may have taken away what
 * counted of its file: tell again what it asks for.
 */
void vmsi_request_refresh(const struct vms_group *group,
			  struct vmsi_request *request);

/* What a call answers where it is refused. */
int64_t vmsi_request_refusal(struct vms_group *group,
			     const struct vmsi_request *request);

/* --- grant.c: what was granted ------------------------------------------ */

/* Whether a request fits; where it does it is charged. */
bool vmsi_group_grant(struct vms_group *group, struct vmsi_process *process,
		      pid_t thread, struct vmsi_request *request);

/* Look at processes whose count may be too high, until the sum is target. */
void vmsi_group_look_at_doubtful(struct vms_group *group, size_t target);

/* Likewise, at a process that asks for more before others. */
void vmsi_group_bring_down(struct vms_group *group,
			   struct vmsi_process *process, pid_t thread,
			   size_t target);

/* Whether anything was granted that may not have been made. */
bool vmsi_group_has_unmade(struct vms_group *group);

/* --- peak.c: the most that was committed -------------------------------- */

/* When a look that no request waits for may follow one that began then. */
uint64_t vmsi_group_next_look(uint64_t begin);

/*
 * Before a request is charged that would make a new peak: look, where it is time
 * to. Returns whether the figures are those of a look, and the request makes the
 * peak.
 */
bool vmsi_group_look_for_peak(struct vms_group *group,
			      struct vmsi_process *process, pid_t thread,
			      size_t bytes);

/* Nothing asks: see whether what is committed now is a new peak. */
void vmsi_group_note_idle_peak(struct vms_group *group);

/* --- grant.c: looks ------------------------------------------------------ */

/*
 * Pages of files in memory are charged when they are touched, which nothing
 * tells: where there may be any, look now and then.
 */
void vmsi_group_look_at_files(struct vms_group *group);

/* Stacks grow without a word: add now and then by how much they have. */
void vmsi_group_look_at_stacks(struct vms_group *group);

/* Find and count everything by the kernel's own figures. */
void vmsi_group_look_at_all(struct vms_group *group);

/* A granted request was not made after all. */
void vmsi_group_take_back(struct vms_group *group,
			  struct vmsi_process *process, pid_t thread,
			  const struct vmsi_request *request);

/*
 * Count a process by the kernel's own figures; thread is one that it has. Where
 * there are none its count stays.
 */
void vmsi_group_look(struct vms_group *group, struct vmsi_process *process,
		     pid_t thread);

/*
 * A thread asks while an execve of its process is under way: count the process
 * anew where it is another program by now.
 */
void vmsi_group_meet_image(struct vms_group *group,
			   struct vmsi_process *process, pid_t thread);

/* --- granted.c: granted, and perhaps not made --------------------------- */

/* By what it will be told whether a call was made; a fork copies bytes. */
struct vmsi_call_notes vmsi_granted_notes(const struct seccomp_notif *call,
					  size_t copied);

/* Confirm what has been made of all that a process was granted. */
void vmsi_granted_check(struct vms_group *group, struct vmsi_process *process);

/* --- faults.c ----------------------------------------------------------- */

/* Count a request; whether it is to be refused on demand. */
bool vmsi_faults_hit(struct vms_group *group, struct vmsi_process *process,
		     const struct seccomp_notif *call,
		     const struct vmsi_request *request);

/* --- time --------------------------------------------------------------- */

uint64_t vmsi_group_now(void);

/* Milliseconds until a moment, at most most; 0: it is over. */
int vmsi_group_ms_until(uint64_t moment, int most);

#endif
