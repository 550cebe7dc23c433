/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_REFUSE_CALLS_H
#define VMSI_TESTS_REFUSE_CALLS_H

#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

/*
 * Docker's default profile answers those of io_uring (since version 25) and of faults with
 * EPERM, and clone3 with ENOSYS.
 */
static const int uring_calls[] = { SCMP_SYS(io_uring_setup), SCMP_SYS(io_uring_enter),
				   SCMP_SYS(io_uring_register) };
static const int fault_calls[] = { SCMP_SYS(userfaultfd) };
static const int thread_calls[] = { SCMP_SYS(clone), SCMP_SYS(clone3) };

/*
 * Have a filter answer some calls of the process with an errno from now on. It cannot be
 * taken away, so this is for a child, which ends with 255 where it cannot have a filter.
 */
static inline void refuse(const int *calls, size_t count, int error)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int failed = !filter;

	for (size_t i = 0; i < count && !failed; i++)
		failed = seccomp_rule_add(filter, SCMP_ACT_ERRNO((uint32_t)error), calls[i],
					  0) != 0;
	if (failed || seccomp_load(filter) != 0)
		_exit(255);
	seccomp_release(filter);
}

#endif
