/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SPACE_SIGN_MEMORY_H
#define VMSI_SPACE_SIGN_MEMORY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "space/sign_table.h"

/* The memory of the table of names; see sign_memory.c. */
struct vmsi_sign_memory {
	struct vmsi_sign_table *table; /* NULL: none */
	int fd;                        /* of the table, as far as it is ours still */
	uint64_t device, inode;        /* by which that is known */
	unsigned backed;               /* signs below this one have memory */
	_Atomic unsigned *fork_state;  /* a page that fork wipes; NULL: none yet */
};

/* Make a table without signs. Returns 0, or -errno and nothing is left of it. */
int vmsi_sign_memory_make(struct vmsi_sign_memory *memory);

/* Whether the table is not this process's but its parent's, which it has no more. */
bool vmsi_sign_memory_is_parents(const struct vmsi_sign_memory *memory);

/* Forget the parent's table, and close its descriptor if that is still open. */
void vmsi_sign_memory_forget(struct vmsi_sign_memory *memory);

/*
 * See to it that a sign has memory: a store must not be what finds that there is none.
 * Returns whether it has.
 */
bool vmsi_sign_memory_back(struct vmsi_sign_memory *memory, unsigned number);

#endif
