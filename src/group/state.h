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

#include "group/array.h"
#include "group/breaks.h"
#include "group/memory_files.h"
#include "group/proc.h"
#include "group/refusals.h"

/*
 * The supervisor of a group. The filter (filter.c) has the kernel ask about the
 * calls that can charge. Each is decoded (request.c), counted in a ledger that
 * may only be too high (grant.c), and let through: the kernel itself makes the
 * mapping. What gives memory back is not notified, so before a refusal the
 * kernel's own figures are read (measure.c) and the ledger comes down.
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
	size_t committed;              /* at most; what the group's sum has */
	size_t measured;               /* at the last look */
	size_t not_copied;             /* of it, by fork; then */
	size_t stack;                  /* of it, what grows by itself; 0: not known */
	size_t moving;                 /* of committed, what may be there twice */
	size_t credit;                 /* inherited and not charged */
	size_t peak;
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
	/* May not have been made when the figures are read. */
	struct vmsi_granted {
		pid_t thread;
		int number;            /* of the system call */
		size_t bytes;          /* 0: they belong to a child or object */
		size_t moved;          /* by it, and charged before */
		uint64_t longest;      /* that it may take before it is charged */
		bool doubted;
		uint64_t ran;          /* then, ns */
	} *granted;
	size_t granted_count, granted_room;
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

/* Forks that were let through, of children that have not been seen yet. */
struct vmsi_unborn {
	pid_t parent;
	pid_t thread;                  /* of the parent's */
	size_t bytes;
	size_t credit;
	bool born;                     /* known to have been made */
	struct vmsi_breaks breaks;     /* of the parent then */
};

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
	size_t committed;              /* the sum: processes, unborn, shared */
	size_t shared;
	size_t moving;                 /* of all processes */
	size_t peak;
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
	struct vmsi_unborn *unborn;
	size_t unborn_count, unborn_room;
	size_t unborn_bytes;           /* of the group's sum */
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

/* A fork was let through; and its child was seen, or will never be. */
void vmsi_unborn_add(struct vms_group *group, pid_t parent, pid_t thread,
		     size_t bytes, size_t credit);
struct vmsi_unborn vmsi_unborn_take(struct vms_group *group, pid_t parent,
				    size_t needed);

/* The last fork of a thread was not made. */
void vmsi_unborn_drop(struct vms_group *group, pid_t thread);

/*
 * What is granted to a process while it forks by another thread may be copied,
 * too: bytes with all such copies; and they are charged.
 */
size_t vmsi_unborn_with(struct vms_group *group, struct vmsi_process *process,
			size_t bytes);
void vmsi_unborn_grow(struct vms_group *group, struct vmsi_process *process,
		      size_t bytes);

/* A thread asks: its forks have been made. */
void vmsi_unborn_note_made(struct vms_group *group, pid_t thread);

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

/* Whether bytes more are within the limit, whatever the policy is. */
bool vmsi_group_fits(const struct vms_group *group, size_t bytes);

/* Whether a request fits; where it does it is charged. */
bool vmsi_group_grant(struct vms_group *group, struct vmsi_process *process,
		      pid_t thread, struct vmsi_request *request);

/* Look at processes whose count may be too high, until the sum is the target. */
void vmsi_group_look_at_doubtful(struct vms_group *group, size_t target);

/* Likewise, at a process that asks for more before others. */
void vmsi_group_bring_down(struct vms_group *group,
			   struct vmsi_process *process, pid_t thread,
			   size_t target);

/* Whether anything was granted that may not have been made. */
bool vmsi_group_has_unmade(struct vms_group *group);

/* --- peak.c: the most that was committed -------------------------------- */

/* The group has bytes now. */
void vmsi_group_raise_peak(struct vms_group *group, size_t bytes);

/* When a look that no request waits for may follow one that began then. */
uint64_t vmsi_group_next_look(uint64_t begin);

/* Before a request is charged that would make a new peak. */
void vmsi_group_note_peak(struct vms_group *group,
			  struct vmsi_process *process, pid_t thread,
			  size_t bytes);

/* Nothing asks: see whether what is committed now is a new peak. */
void vmsi_group_note_idle_peak(struct vms_group *group);

/*
 * A process ends, or is another program: what it was last granted may have been
 * of a peak, and nobody can look any more.
 */
void vmsi_group_note_last(struct vms_group *group,
			  const struct vmsi_process *process);

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

/* What a process has, for the group's sum. */
void vmsi_group_set_committed(struct vms_group *group,
			      struct vmsi_process *process, size_t bytes);

/* Of it, what moves; to be told before. */
void vmsi_group_set_moving(struct vms_group *group,
			   struct vmsi_process *process, size_t bytes);

/* --- granted.c: granted, and perhaps not made --------------------------- */

/*
 * Of a fork copied is what it copies. A failure to remember is left: the figures
 * are too low for an instant.
 */
void vmsi_granted_remember(struct vmsi_process *process,
			   const struct seccomp_notif *call, size_t bytes,
			   size_t moved, size_t copied);

/* A thread asks, or was refused: its last call has been made. */
void vmsi_granted_forget(struct vmsi_process *process, pid_t thread);

/* Forget what has been made. Returns what remains of the process's own. */
size_t vmsi_granted_check(struct vmsi_process *process);

/* What moves, and may be missed in figures; of what was not forgotten. */
size_t vmsi_granted_moving(const struct vmsi_process *process);

/* Whether a thread has been granted what may not have been made. */
bool vmsi_granted_has(const struct vmsi_process *process, pid_t thread);

/* Whether any of them has, of a child or an object. */
bool vmsi_granted_has_loose(const struct vmsi_process *process);

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
