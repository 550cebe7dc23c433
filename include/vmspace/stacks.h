/* SPDX-License-Identifier: MIT */
#ifndef VMSPACE_STACKS_H
#define VMSPACE_STACKS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vmspace/space.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Pools of stacks, for threads, coroutines and signal handlers.
 *
 * Caveats first.
 *
 * - Stacks grow down, and below each lies its guard, which faults when it is
 *   touched. A function whose frame is larger than the guard may step over it,
 *   into the stack of another: nobody sees that, unless the program is compiled
 *   with -fstack-clash-protection, which touches each page of a frame in turn.
 *   Else choose a guard that is larger than the largest frame.
 * - Guards cost no mapping of the host's from Linux 6.13 on, where a pool is a few
 *   mappings, however many stacks it has. On older kernels, in memory that mlockall(2)
 *   locks, and where seccomp(2) forbids the call, each stack is two mappings, so that with the usual
 *   vm.max_map_count of 65530 some 32,000 fit into a process; vms_stacks_take then
 *   fails with ENOMEM, and vms_last_refusal tells why. guard_mappings of the
 *   figures counts such guards.
 * - A stack is charged in full when it is first taken, guard included, as that of a
 *   thread is, and stays charged until the pool is closed. A pool with
 *   VMS_STACKS_NORESERVE is not charged, but for the strict policies.
 * - An overflow is told only in threads that have a stack for signal handlers: see
 *   vms_stacks_watch_thread.
 * - The calls are safe from several threads at once; of one stack, only one thread
 *   at a time may make them. vms_stacks_close must be alone. No call is safe from
 *   a signal handler.
 * - fork(2): the child has its own copy of the pool. Stacks that were taken stay
 *   taken there, also those that were of other threads, which the child may give
 *   back: nobody else uses them.
 * - Shadow stacks (CET) are not made: shadow_stacks of the figures tells whether the
 *   program runs with them. makecontext(3) and threads make their own.
 *
 * A call that fails leaves all as it was; one that succeeds leaves errno as it was.
 */

typedef struct vms_stacks vms_stacks;

/*
 * A stack that was taken. base and size are what pthread_attr_setstack(3),
 * makecontext(3) and sigaltstack(2) ask for; top is where code that switches stacks
 * itself begins. The program may copy the struct.
 */
typedef struct vms_stack {
	void *base;    /* the lowest byte; the guard lies below */
	size_t size;   /* bytes */
	void *top;     /* base + size, on a multiple of 64 */
	size_t number; /* of this stack in its pool, from 0 on; the library's */
} vms_stack;

/* The longest name of a stack, in bytes, without the final 0. */
#define VMS_STACK_NAME_MAX 31

/* The most stacks of a pool. */
#define VMS_STACKS_MOST 0xfffffeu

/* An age that no stack reaches. */
#define VMS_STACKS_NEVER UINT_MAX

/* Tops that are not spread. */
#define VMS_STACKS_NO_COLOURS SIZE_MAX

/* Options of a pool; zero in a field means its default. */
struct vms_stacks_options {
	/* sizeof(struct vms_stacks_options); lets the struct grow. */
	size_t struct_size;
	/*
	 * A name for messages and listings; copied, at most VMS_NAME_MAX bytes, of
	 * the characters that vms_set_name takes. NULL: "stacks".
	 */
	const char *name;
	/* Bytes of each guard, rounded up to a page. 0: a page. */
	size_t guard;
	/*
	 * The base of each stack is a multiple of this, a power of two of at least
	 * a page; a stack is so large that the guard of the next follows it. 0: a page.
	 */
	size_t alignment;
	/*
	 * How many bytes at its top a stack keeps in memory while it is taken again
	 * and again; see vms_stacks_collect. 0: 64 KiB.
	 */
	size_t keep;
	/*
	 * Spread the tops over so many bytes, a multiple of 64 up to a page: the top of a
	 * stack lies a multiple of 64 bytes below the end of its memory, which is so
	 * much larger, so that equal depths of many stacks are not in the same sets of
	 * the caches. 0: 1024. VMS_STACKS_NO_COLOURS: not at all.
	 */
	size_t colours;
	/*
	 * Milliseconds from one vms_stacks_collect to the next that vms_stacks_give
	 * makes by itself, in small parts. 0: 10,000. VMS_STACKS_NEVER: none.
	 */
	unsigned age;
	/* VMS_STACKS_* bits. */
	unsigned flags;
	/*
	 * The space that the memory comes from; it must stay open until the pool is
	 * closed. NULL: one of the pool's own, which refuses no commit itself.
	 */
	vms_space *space;
	/*
	 * A budget that is charged what the pool commits (vmspace/budget.h); it must
	 * stay open until the pool is closed. Only with space NULL. NULL: none.
	 */
	struct vms_budget *budget;
};

/*
 * The memory is MAP_NORESERVE: it is charged neither by a space and a budget nor by
 * the host, but by those whose policy is strict. For large stacks of which little
 * is ever touched.
 */
#define VMS_STACKS_NORESERVE 0x1u

/*
 * A stack that is given back is cleared, so that whoever takes it next finds zeroes,
 * and vms_stacks_high_water is exact. Giving back then takes a few system calls, and
 * the time to clear what was used.
 */
#define VMS_STACKS_CLEARED 0x2u

/*
 * Open a pool. It takes addresses, not memory.
 *
 * count     the most stacks that may be taken at once, up to VMS_STACKS_MOST.
 * size      the bytes that each stack has at least; with what colours takes it is
 *           rounded up to a page, and with the guard up to the alignment.
 * options   NULL for the defaults; read during the call only.
 *
 * Returns the pool, which the caller gives back by vms_stacks_close(); NULL with
 * errno set on failure:
 *   EINVAL  count or size is 0, or count is too large; struct_size is too small;
 *           unknown flags; an alignment or colours that are not as told above; a
 *           budget together with a space; a bad name.
 *   E2BIG   options that the library does not know are not zero (vmspace/space.h).
 *   ENOMEM  the addresses are refused: RLIMIT_AS, the map-count limit, a space that
 *           is full; no memory for records.
 *   EAGAIN  mlockall(MCL_FUTURE) is in force and RLIMIT_MEMLOCK is reached.
 */
vms_stacks *vms_stacks_open(size_t count, size_t size,
			    const struct vms_stacks_options *options);

/*
 * Close a pool: all its stacks are gone, also those that are taken. No thread may
 * run on one, or have signal handlers that would, and no other call on the pool may be
 * running or follow.
 *
 * Returns 0, also for NULL; -1 with errno set on failure:
 *   EBUSY   the caller runs on a stack of the pool, or its signal handlers would.
 *   ENOMEM  the map-count limit is reached and a mapping had to be split.
 *   EPERM   part of the memory is sealed (mseal(2)).
 *   EAGAIN  as vms_munmap.
 */
int vms_stacks_close(vms_stacks *stacks);

/*
 * Take a stack: the one that was given back last, which needs no system call, or a
 * new one.
 *
 * name      copied and cut off at VMS_STACK_NAME_MAX bytes; it is kept apart from
 *           the stack's memory. NULL: none.
 *
 * What is in the memory is undefined, but with VMS_STACKS_CLEARED.
 *
 * Returns 0, and *stack is the caller's until vms_stacks_give(); -1 with errno set on
 * failure:
 *   EAGAIN  all stacks of the pool are taken.
 *   ENOMEM  a new one is refused: commit, the space's, the budget's or the host's;
 *           RLIMIT_DATA, RLIMIT_MEMLOCK; the map-count limit.
 *   EINVAL  an argument is NULL.
 *   EPERM   the memory is sealed (mseal(2)).
 */
int vms_stacks_take(vms_stacks *stacks, const char *name, vms_stack *stack);

/*
 * Give a stack back. Nobody may run on it, or have it as the stack of signal handlers,
 * nor come back to it: only what is told below is checked.
 *
 * Returns 0; -1 with errno set on failure:
 *   EINVAL  it is no stack of this pool, or nobody has it: it was given back before.
 *   EBUSY   the caller runs on it.
 */
int vms_stacks_give(vms_stacks *stacks, const vms_stack *stack);

/*
 * Find the taken stack that holds an address, or whose guard does.
 *
 * Returns 0, with *stack as it was taken; -1 with errno set on failure:
 *   ENOENT  there is none in this pool.
 *   EINVAL  stacks or stack is NULL.
 */
int vms_stacks_find(vms_stacks *stacks, const void *address, vms_stack *stack);

/*
 * Name a taken stack anew, as vms_stacks_take does.
 *
 * Returns 0; -1 with errno EINVAL where the pool has no such stack, or nobody has it.
 */
int vms_stacks_set_name(vms_stacks *stacks, const vms_stack *stack,
			const char *name);

/*
 * Read the name of a taken stack, "" where it has none, into VMS_STACK_NAME_MAX + 1
 * bytes.
 *
 * Returns 0; -1 with errno EINVAL as vms_stacks_set_name, or where name is NULL.
 */
int vms_stacks_name(vms_stacks *stacks, const vms_stack *stack, char *name);

/*
 * How deep a taken stack was used: the bytes from its top down to the lowest page
 * that it has in memory or swapped out. Pages that those who had the stack before
 * have left count, unless they went back (vms_stacks_collect). With
 * VMS_STACKS_CLEARED the bytes down to the lowest one that is not 0, since the stack
 * was taken. Another thread may run on it meanwhile.
 *
 * Returns 0 and the bytes; -1 with errno set on failure:
 *   EINVAL  as vms_stacks_set_name, or bytes is NULL.
 *   ENOENT, EACCES, EMFILE, ENFILE, ENOMEM, EIO  /proc/self/pagemap cannot be read.
 */
int vms_stacks_high_water(vms_stacks *stacks, const vms_stack *stack,
			  size_t *bytes);

/* Give back the memory of all stacks that nobody has, at once. */
#define VMS_STACKS_COLLECT_ALL 0x1u

/*
 * Give back memory of stacks that nobody has: of one that was given back since the
 * last call what lies deeper than keep; of one that nobody has taken since then, all.
 * Charges stay. vms_stacks_give does the same by itself, by and by.
 *
 * Returns 0; -1 with errno EINVAL: stacks is NULL, unknown flags.
 */
int vms_stacks_collect(vms_stacks *stacks, unsigned flags);

/*
 * Have overflows told in the calling thread, and in coroutines that it runs.
 *
 * The first call of the process sets a handler of SIGSEGV. When a guard of any pool
 * is touched, it writes to standard error which stack of which pool that was, its
 * name, how deep, and the address. Then, as with all other SIGSEGV, what would have
 * been done without the library is done: the handler that the program had set before
 * is called, on the stack for signal handlers, or the program ends by the signal, with
 * the core that it would have had. Where standard error cannot be written to, the report
 * is lost, and nothing else happens: no SIGPIPE, no SIGXFSZ.
 * A handler that the program sets later takes the place of the library's, and must
 * call it.
 *
 * A handler cannot run on the stack that has overflowed. If the thread has no stack
 * for signal handlers (sigaltstack(2)), it gets one of this pool, named "signals",
 * until vms_stacks_unwatch_thread or the end of the thread, whether that returns, calls
 * pthread_exit(3) or is cancelled; the handlers that the program sets with SA_ONSTACK
 * run on it, too. The pool may be closed before the thread ends, but not while a signal
 * may still come to it.
 *
 * An overflow of the stack for signal handlers itself is told, too; the report then
 * overwrites its upper end. If the program has set it from a pool itself, it must
 * not have done so with SS_AUTODISARM, and on aarch64 ss_sp must be 512 bytes above
 * the base (and ss_size less). What cannot be told, and ends the program by SIGSEGV at
 * once: an overflow while SIGSEGV is blocked, or in a thread that has no stack for signal
 * handlers. Under vfork(2) and in signal handlers the call must not be made.
 *
 * Returns 0, also where the thread is watched already; -1 with errno set on failure:
 *   EINVAL  stacks is NULL; its stacks are smaller than what a signal's frame takes
 *           and 9 KiB (and the thread needs one).
 *   EAGAIN, ENOMEM, EPERM  as vms_stacks_take; ENOMEM also where the process has no
 *           key left (pthread_key_create(3)), by which the end of the thread is seen.
 */
int vms_stacks_watch_thread(vms_stacks *stacks);

/*
 * Take the stack for signal handlers away again and give it back, if vms_stacks_watch_thread
 * has taken it, of this pool; one that the program has set meanwhile stays. The handler of
 * SIGSEGV stays.
 *
 * Returns 0; -1 with errno set on failure:
 *   EINVAL  stacks is NULL.
 *   EPERM   the thread runs on it.
 */
int vms_stacks_unwatch_thread(vms_stacks *stacks);

/* What a processor and kernel with shadow stacks make of this program. */
enum vms_shadow_stacks {
	VMS_SHADOW_STACKS_NONE = 0, /* there are none: processor, kernel or machine */
	VMS_SHADOW_STACKS_OFF = 1,  /* the kernel has them; this thread runs without */
	VMS_SHADOW_STACKS_ON = 2,   /* this thread runs with one */
};

/* Figures of a pool, in bytes unless said otherwise. */
struct vms_stacks_stats {
	/* sizeof(struct vms_stacks_stats), set by the caller. */
	size_t struct_size;
	size_t count;         /* the most stacks at once */
	/* Number of stacks that were ever taken at once, and of those made with them. */
	size_t made;
	size_t taken;         /* number of stacks that somebody has */
	size_t stack_size;    /* of the memory of each, in whole pages */
	size_t guard_size;    /* of each guard */
	size_t pitch;         /* from one stack to the next */
	size_t reserved;      /* addresses */
	size_t committed;     /* readable and writable, and guards among that */
	size_t metadata;      /* memory of the pool's own records, where touched */
	size_t guard_mappings; /* number of guards that are mappings of their own */
	uint64_t collected;   /* number of times that memory of a stack went back */
	enum vms_shadow_stacks shadow_stacks;
};

/*
 * Read the figures of a pool. It looks at the record of each stack.
 *
 * Returns 0; -1 with errno EINVAL for a NULL argument or a struct_size that is too
 * small, E2BIG for one that is too large (vmspace/space.h).
 */
int vms_stacks_get_stats(vms_stacks *stacks, struct vms_stacks_stats *stats);

#ifdef __cplusplus
}
#endif

#endif
