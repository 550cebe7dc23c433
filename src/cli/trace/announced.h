/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_ANNOUNCED_H
#define VMSI_CLI_ANNOUNCED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Processes of which calls were told before the sampler has seen them, and which may end
 * before it does. They are in the recording already:
 *
 *	ANNOUNCED -- the sampler sees it --> the sampler's, by the same number
 *	    |
 *	    '-- it is another program by then, or gone --> ended
 */
struct vmsi_announced {
	pid_t pid;
	uint32_t number; /* in the recording */
	char name[16];
	bool is_old;     /* it was there when the sampler began to look */
};

struct vmsi_announced_list {
	struct vmsi_announced *list;
	size_t count, capacity;
};

/* NULL: there is none of that number. */
struct vmsi_announced *vmsi_announced_find(const struct vmsi_announced_list *all,
					   pid_t pid);

/* Returns false without memory. */
bool vmsi_announced_add(struct vmsi_announced_list *all,
			const struct vmsi_announced *announced);

/* The last one takes its place. */
void vmsi_announced_remove(struct vmsi_announced_list *all,
			   struct vmsi_announced *announced);
void vmsi_announced_free(struct vmsi_announced_list *all);

#endif
