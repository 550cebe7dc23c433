/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CONFORMANCE_GUARD_H
#define VMSI_CONFORMANCE_GUARD_H

#include <errno.h>
#include <stdint.h>
#include <sys/syscall.h>

#include "host/raw.h"

/*
 * Around every call on the space. A signal handler may map memory itself, or
 * leave by longjmp, and must do neither while this thread is inside the space:
 * so all signals wait, those that the C library keeps for cancelling and for
 * set*id among them.
 */
struct vmsi_rehome_guard {
	uint64_t signals; /* the kernel's signal mask, one bit a signal */
	int error;        /* errno */
};

/* SIG_SETMASK of the kernel; libc's header would bring its own signal mask. */
#define VMSI_SETMASK 2

static inline struct vmsi_rehome_guard vmsi_rehome_enter(void)
{
	struct vmsi_rehome_guard guard = { .error = errno };
	uint64_t all = UINT64_MAX;

	vmsi_raw_call(SYS_rt_sigprocmask, VMSI_SETMASK, (long)(uintptr_t)&all,
		      (long)(uintptr_t)&guard.signals, sizeof(all), 0, 0);
	return guard;
}

/* The result of a public call, -1 with errno on failure, as -errno. */
static inline long vmsi_rehome_leave(const struct vmsi_rehome_guard *guard,
				     long result)
{
	long answer = result == -1 ? -errno : result;

	errno = guard->error;
	vmsi_raw_call(SYS_rt_sigprocmask, VMSI_SETMASK,
		      (long)(uintptr_t)&guard->signals, 0,
		      sizeof(guard->signals), 0, 0);
	return answer;
}

#endif
