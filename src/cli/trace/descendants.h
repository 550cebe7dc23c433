/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_DESCENDANTS_H
#define VMSI_CLI_DESCENDANTS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * The descendants of this process, by the lists of children that the kernel keeps for
 * each thread; where it has none, by a look at all processes.
 */
struct vmsi_descendants {
	pid_t *list;      /* parents before their children */
	size_t count, capacity;
	bool has_no_lists; /* this kernel does not tell children */
};

/* Find them anew. Returns 0, -ENOMEM, or -errno of a look at all processes. */
int vmsi_descendants_read(struct vmsi_descendants *tree);
void vmsi_descendants_free(struct vmsi_descendants *tree);

#endif
