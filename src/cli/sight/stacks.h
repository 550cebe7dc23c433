/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_STACKS_H
#define VMSI_CLI_STACKS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "cli/process_name.h"

/*
 * Where the threads of a process have their stacks: the kernel tells the stack
 * pointer of a thread that waits to who may trace it, and of none that runs.
 */

struct vmsi_thread_stack {
	pid_t thread;
	uintptr_t pointer;
	char command[VMSI_PROCESS_NAME_SIZE];
};

struct vmsi_stacks {
	struct vmsi_thread_stack *list; /* in ascending order of pointer */
	size_t count, capacity;
	size_t untold;                  /* threads of which none is told */
};

/*
 * Find the stacks of all threads but the first, whose stack the kernel names. What
 * cannot be read is untold. Returns 0 or -ENOMEM.
 */
int vmsi_stacks_read(struct vmsi_stacks *stacks, pid_t pid);
/* Returns the stack whose pointer lies in [start, end), or NULL. */
const struct vmsi_thread_stack *
vmsi_stacks_find(const struct vmsi_stacks *stacks, uintptr_t start, uintptr_t end);
void vmsi_stacks_free(struct vmsi_stacks *stacks);

#endif
