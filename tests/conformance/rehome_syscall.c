/* SPDX-License-Identifier: MIT */
#include "rehome.h"

#include <errno.h>
#include <sys/mman.h>

/* The C side of rehome_syscall.S. */

/* A failed system call's word, as errno and the -1 of syscall(2). */
long vmsi_rehome_fail(long answer);
long vmsi_rehome_fail(long answer)
{
	errno = (int)-answer;
	return -1;
}

/* mmap ignores flags that it does not know but for MAP_SHARED_VALIDATE. */
static int map_flags(long flags)
{
	return vmsi_rehome_narrow(flags, (flags & MAP_TYPE) ==
					 MAP_SHARED_VALIDATE ?
					 VMSI_REHOME_UNKNOWN_MAP_BIT : 0);
}

static long route(int number, long a, long b, long c, long d, long e, long f)
{
	struct vmsi_rehome_call call = {
		.number = number,
		.address = (uintptr_t)a,
		.length = (size_t)b,
		.argument = c,
		.key = number == SYS_pkey_mprotect ? (int)d : 0,
	};

	switch (number) {
	case SYS_mmap:
		return vmsi_rehome_mmap((uintptr_t)a, (size_t)b, (int)c,
					map_flags(d), (int)e, (uint64_t)f);
	case SYS_mremap:
		return vmsi_rehome_mremap((uintptr_t)a, (size_t)b, (size_t)c,
					  vmsi_rehome_narrow(
						  d, VMSI_REHOME_UNKNOWN_BIT),
					  (uintptr_t)e);
	default:
		return vmsi_rehome_range(&call);
	}
}

/* The parameters of syscall(2), which jumps here. */
long vmsi_rehome_syscall(int number, long a, long b, long c, long d, long e,
			 long f);
long vmsi_rehome_syscall(int number, long a, long b, long c, long d, long e,
			 long f)
{
	long answer = route(number, a, b, c, d, e, f);

	return vmsi_rehome_failed(answer) ? vmsi_rehome_fail(answer) : answer;
}
