/* SPDX-License-Identifier: MIT */
#ifndef VMSI_FILE_STALL_H
#define VMSI_FILE_STALL_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/align.h"

/*
 * To stall the stores into a range, by any thread, in an update or not: the range is
 * write-protected, and a store waits in the handler of SIGSEGV until it is released. A
 * system call that stores there meanwhile answers EFAULT.
 *
 * The handler looks at these at any instant, so their memory is used for nothing else
 * until the process ends.
 */
struct vmsi_stall {
	_Atomic uintptr_t start; /* of what may be stalled; end 0: unused */
	_Atomic uintptr_t end;
	_Atomic uint32_t stalling; /* 1: stores wait */
	_Atomic uint64_t stalls;   /* so far */
	struct vmsi_stall *_Atomic next; /* of all; written once */
};

/*
 * A stall for a file whose stores are to be stalled now and then; range is all of its
 * addresses. Installs the handler, once a process. Returns 0 or -errno.
 */
int vmsi_stall_open(struct vmsi_stall **stall, struct vmsi_range range);
void vmsi_stall_close(struct vmsi_stall *stall);

/*
 * Stall a part of the range, one at a time; let it go again, readable and writable.
 * Returns 0 or -errno: nothing is stalled.
 */
int vmsi_stall_begin(struct vmsi_stall *stall, struct vmsi_range part);
void vmsi_stall_end(struct vmsi_stall *stall, struct vmsi_range part);

/*
 * In the child of a fork, which has the stalls of its parent and not the threads that
 * would end them: let go of what may be stalled of the range, and be ready for others.
 */
void vmsi_stall_forked(struct vmsi_stall *stall, struct vmsi_range part);

#endif
