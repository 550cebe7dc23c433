/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_AUDIT_H
#define VMSI_CLI_AUDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "cli/commit/commit_figures.h"
#include "cli/process_name.h"

/*
 * Who holds Committed_AS: what the kernel has charged for the private memory of each
 * process, and for shared memory, once.
 */

struct vmsi_commit_holder {
	pid_t pid;
	char command[VMSI_PROCESS_NAME_SIZE];
	uint64_t committed;      /* bytes, as all */
	size_t mappings;
	uint64_t forked;         /* of what is committed, what a child is charged again */
	uint64_t largest_forked; /* the largest mapping of that */
	/* Private and writable without a charge: MAP_NORESERVE, outside of mode 2. */
	uint64_t uncharged;
	uint64_t mapped;         /* VmSize */
	enum vmsi_exemption exemption;
};

/* Memory that is charged to itself. Bytes. */
enum vmsi_shared_kind {
	VMSI_SHARED_ANONYMOUS, /* mapped shared, without a file: whole when it is made */
	VMSI_SHARED_SYSTEM_V,  /* segments, attached or not: whole, too */
	VMSI_SHARED_MEMFD,     /* as much as is written to */
	VMSI_SHARED_TMPFS,     /* files of tmpfs that is mounted here: as is written to */
	/* No process here has it: memfds in flight, tmpfs that is mounted elsewhere. */
	VMSI_SHARED_ELSEWHERE,
	VMSI_SHARED_KINDS,
};

struct vmsi_audit {
	struct vmsi_commit_holder *holders; /* those with most first */
	size_t count, capacity;
	uint64_t private_memory;            /* of all holders */
	uint64_t shared[VMSI_SHARED_KINDS];
	size_t hidden;                      /* processes that may not be looked at */
	uint64_t hidden_most;               /* what these have at most */
	/* Which processes /proc does not list at all. */
	bool omits_outside;                 /* those outside of our PID namespace */
	bool omits_others;                  /* those of other users: hidepid */
	size_t same;                        /* that share the memory of one in the list */
	/* Committed_AS before all was read, and after. */
	uint64_t before, after;
};

/*
 * Returns 0; -errno where /proc cannot be listed or meminfo not be read, or -ENOMEM.
 * The caller frees the audit in either case.
 */
int vmsi_audit_read(struct vmsi_audit *audit);
void vmsi_audit_free(struct vmsi_audit *audit);

/* All that was found. */
uint64_t vmsi_audit_explained(const struct vmsi_audit *audit);

#endif
