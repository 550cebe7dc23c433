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
	CALL_UNLINK,
	CALL_PWRITE,
	CALL_APPEND,
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
	CALL_MEMBARRIER,
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

/* Which of the errnos that a call can really give. */
enum fault_errno { FAULT_USUAL, FAULT_OTHER, FAULT_ERRNOS };

struct fault_plan {
	enum fault_mode mode;
	unsigned n;               /* from 1 */
	enum fault_errno which;
	long errors[HOST_CALLS];  /* -errno to give; 0: the call's usual one */
};

/* What came of a plan. */
struct fault_result {
	unsigned calls;           /* host calls made */
	unsigned failed;          /* of them, by the plan */
	enum host_call call;      /* the first one that failed */
	int error;                /* and its errno */
};

/* Put the counting functions into the table; undo. */
void fault_install(void);
void fault_remove(void);

/* Follow a plan from now on; stop and tell. Calls of other threads count too. */
void fault_begin(const struct fault_plan *plan);
struct fault_result fault_end(void);

const char *fault_call_name(enum host_call call);

/*
 * Bytes that munmap was refused and that nobody unmapped since, outside of
 * [start, end): what a failed munmap may leave behind. Unmaps them.
 */
size_t fault_sweep_refused(uintptr_t start, uintptr_t end);

#endif
