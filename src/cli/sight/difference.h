/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_DIFFERENCE_H
#define VMSI_CLI_DIFFERENCE_H

#include "cli/sight/process.h"

/* Processes that were read, or saved, in the order in which they are shown. */
struct vmsi_seen_processes {
	struct vmsi_process *list;
	size_t count, capacity;
};

/* Get place for one more, which is empty. NULL without memory. */
struct vmsi_process *vmsi_seen_processes_add(struct vmsi_seen_processes *processes);
void vmsi_seen_processes_free(struct vmsi_seen_processes *processes);

/*
 * Make of each process what it has more than before, as figures that may be below 0
 * (int64_t). A process is the same by its number, or where there is one each time. One
 * that was not there before has all that it has; one that is gone lacks what it had.
 * Figures that one of the two does not have are not told. Returns 0 or -ENOMEM; the
 * caller frees all three.
 */
int vmsi_seen_processes_compare(struct vmsi_seen_processes *differences,
			   const struct vmsi_seen_processes *before,
			   const struct vmsi_seen_processes *after);

#endif
