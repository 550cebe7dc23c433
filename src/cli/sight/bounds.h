/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_BOUNDS_H
#define VMSI_CLI_BOUNDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <vmspace/space.h>

/*
 * What bounds the commit of a process: budgets that it shares with others and has open,
 * the limits of groups that it runs in, and the machine. A budget that a process keeps
 * to itself nobody else can read.
 */

enum vmsi_bound_kind {
	VMSI_BOUND_BUDGET,
	VMSI_BOUND_GROUP,   /* of 'vmspace limit' */
	VMSI_BOUND_MACHINE,
	VMSI_BOUND_KINDS,
};

/* The words for the kinds, in JSON. */
extern const char *const vmsi_bound_kinds[VMSI_BOUND_KINDS];

struct vmsi_bound {
	enum vmsi_bound_kind kind;
	/* Of the budget, or of the group's program; may have any bytes but 0. */
	char name[VMS_NAME_MAX + 1];
	pid_t pid;           /* the first process of a group; 0: it is none */
	uint64_t committed;  /* by all together whom it bounds */
	uint64_t limit;
	bool is_held;        /* what is beyond the limit is refused; else it is all RAM */
};

/* The nearest comes first, and the machine last. */
struct vmsi_bounds {
	struct vmsi_bound *list;
	size_t count, capacity;
};

/* The groups that run, and the machine: read once, however many processes are shown. */
struct vmsi_bound_sources;

/* Returns NULL without memory. */
struct vmsi_bound_sources *vmsi_bound_sources_read(void);
void vmsi_bound_sources_free(struct vmsi_bound_sources *sources);

/*
 * Read the bounds of a process; what the caller may not see is left out. Returns 0 or
 * -ENOMEM. The caller frees them in either case.
 */
int vmsi_bounds_read(struct vmsi_bounds *bounds,
		     const struct vmsi_bound_sources *sources, pid_t pid);
void vmsi_bounds_free(struct vmsi_bounds *bounds);

#endif
