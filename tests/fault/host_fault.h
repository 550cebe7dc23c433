/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_HOST_FAULT_H
#define VMSI_TESTS_HOST_FAULT_H

#include <stdbool.h>
#include <stddef.h>

#include "host/host.h"

/*
 * A host that fails on demand: functions in the table vmsi_host that count
 * calls and refuse some of them without asking the kernel.
 */

/* The entries of struct vmsi_host_calls. */
enum host_call {
	CALL_MMAP,
	CALL_MUNMAP,
	CALL_MREMAP,
	CALL_MPROTECT,
	CALL_MADVISE,
	CALL_MADVISE_MANY,
	CALL_MSYNC,
	CALL_MLOCK2,
	CALL_MUNLOCK,
	CALL_MINCORE,
	CALL_MSEAL,
	CALL_NAME_MEMORY,
	CALL_FSTAT,
	CALL_FILE_SYSTEM,
	CALL_FILE_FLAGS,
	CALL_OPEN,
	CALL_READ,
	CALL_PREAD,
	CALL_CLOSE,
	CALL_READLINK,
	CALL_PAGEMAP_SCAN,
	CALL_MAPS_QUERY,
	CALL_MEMORY_SIZE,
	CALL_MEMFD_CREATE,
	CALL_FTRUNCATE,
	CALL_ADD_SEALS,
	CALL_SEALS,
	CALL_FILE_LOCK,
	CALL_REOPEN,
	CALL_OPEN_FILE,
	CALL_DUPLICATE,
	CALL_REPLACE,
	CALL_LINK,
	CALL_UNLINK,
	CALL_PWRITE,
	CALL_PREADV,
	CALL_PWRITEV,
	CALL_APPEND,
	CALL_END,
	CALL_FALLOCATE,
	CALL_FSYNC,
	CALL_FDATASYNC,
	CALL_SYNC_RANGE,
	CALL_FADVISE,
	CALL_ATTRIBUTE,
	CALL_SET_ATTRIBUTE,
	CALL_BIRTH_TIME,
	CALL_RANDOM,
	CALL_USERFAULTFD,
	CALL_USERFAULTFD_CONTROL,
	CALL_SIGNAL_ACTION,
	CALL_SIGNAL_MASK,
	CALL_QUEUE_SIGNAL,
	CALL_SIGNAL_STACK,
	CALL_WRITE,
	CALL_MAP_SHADOW_STACK,
	CALL_SHADOW_STACK_STATUS,
	CALL_MEMBARRIER,
	CALL_FUTEX_WAIT,
	CALL_FUTEX_WAKE,
	CALL_EVENTFD,
	CALL_PIPE,
	CALL_SIZE_PIPE,
	CALL_SPLICE_MEMORY,
	CALL_THREAD_FAULTS,
	CALL_SWAP_SIZE,
	CALL_MERGES_MEMORY,
	CALL_WAIT_READABLE,
	CALL_START_THREAD,
	HOST_CALLS,
};

enum fault_mode {
	FAULT_NEVER,     /* only count */
	FAULT_ONCE,      /* the Nth call */
	FAULT_FROM,      /* the Nth call and all after it */
	/*
	 * The Nth call, if it has MAP_FIXED or MREMAP_FIXED, unmaps its target
	 * and then fails: mremap does on every kernel, mmap before 6.12.
	 */
	FAULT_DESTROYING,
};

/* Which of a call's possible errnos to give. */
enum fault_errno { FAULT_USUAL, FAULT_OTHER, FAULT_ERRNOS };

/*
 * How many of them a long sweep goes through. A sanitizer looks for what a failure does
 * to memory, which is the same with either errno; what an errno becomes is seen by the
 * build without one.
 */
#if defined(__SANITIZE_ADDRESS__)
#define FAULT_ERRNOS_SWEPT 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FAULT_ERRNOS_SWEPT 1
#endif
#endif
#ifndef FAULT_ERRNOS_SWEPT
#define FAULT_ERRNOS_SWEPT FAULT_ERRNOS
#endif

struct fault_plan {
	enum fault_mode mode;
	unsigned n;               /* from 1 */
	enum fault_errno which;
	long errors[HOST_CALLS];  /* -errno to give; 0: the call's usual one */
};

/* The result of a plan. */
struct fault_result {
	unsigned calls;           /* host calls made */
	unsigned failed;          /* of them, by the plan */
	enum host_call call;      /* the first one that failed */
	int error;                /* and its errno */
};

/*
 * A plan of a sweep. An interrupted ftruncate is made again, and not for ever: no kernel
 * answers so always.
 */
struct fault_plan fault_plan_of(int mode, int which, unsigned n);

/* Put the counting functions into the table, or the real ones back. */
void fault_install(void);

/*
 * A sweep maps and unmaps for most of its time, and mostly in one thread: where the
 * kernel has to tell no other processor of it, it takes a third less. Called before any
 * thread is begun.
 */
void fault_stay_on_one_processor(void);
void fault_remove(void);

/*
 * Follow a plan from now on, for the calls of all threads; stop and return the
 * result.
 */
void fault_begin(const struct fault_plan *plan);
struct fault_result fault_end(void);

/*
 * Go on to the next n of a sweep. The first sweep of a scenario must be of
 * FAULT_USUAL and FAULT_ONCE: it ends with a run in which nothing is refused, whose
 * calls are noted. Later sweeps skip each n at which FAULT_DESTROYING would refuse
 * nothing, or FAULT_ONCE give the same errno again.
 */
void fault_next(struct fault_plan *plan);

const char *fault_call_name(enum host_call call);
int fault_call_errno(enum host_call call, enum fault_errno which);

/*
 * Unmap what munmap was refused and nobody has unmapped since, outside of [start,
 * end). Return its size.
 */
size_t fault_sweep_refused(uintptr_t start, uintptr_t end);

#endif
