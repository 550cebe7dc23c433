/* SPDX-License-Identifier: MIT */
#include "cli/supervise/threads.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Without arguments the call makes nothing: a kernel that knows it answers EINVAL. */
static bool is_clone3_forbidden(void)
{
	return syscall(SYS_clone3, NULL, (size_t)0) == -1 && errno == EPERM;
}

/*
 * Of two filters that answer an errno the kernel takes the newer one's. clone3 has one
 * number on all architectures.
 */
static void answer_enosys(void)
{
	struct sock_filter steps[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog filter = { COUNT_OF(steps), steps };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)
		(void)prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter);
}

void vmsi_threads_allow(void)
{
	if (is_clone3_forbidden())
		answer_enosys();
}
