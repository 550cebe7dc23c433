/* SPDX-License-Identifier: MIT */
#ifndef VMSI_PRELOAD_ANSWER_H
#define VMSI_PRELOAD_ANSWER_H

#include <errno.h>

/* What libc returns for an answer of the kernel: -1 with errno, or the answer. */
static inline int vmsi_interposer_answer(long result)
{
	if (result >= 0)
		return (int)result;
	errno = (int)-result;
	return -1;
}

#endif
