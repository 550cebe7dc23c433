/* SPDX-License-Identifier: MIT */
#include "cli/recording/calls.h"

const char *const vmsi_recorded_calls[VMSI_RECORDED_CALLS] = {
	"mmap", "mprotect", "mremap", "brk", "fork", "execve", "shmget",
};
