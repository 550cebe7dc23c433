/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_SUPERVISE_SNAPSHOT_H
#define VMSI_CLI_SUPERVISE_SNAPSHOT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <vmspace/group.h>

#include "cli/output/json.h"

/*
 * A group at one moment: what it has, what it was refused, and its processes. The
 * text and the JSON are both written from this.
 */

/* The processes that have most. */
#define VMSI_HOLDERS 3

struct vmsi_holders {
	struct vms_group_process list[VMSI_HOLDERS]; /* the largest first */
	size_t count;
};

/* Whether there is a limit, or requests are refused on demand alone. */
enum vmsi_limited { VMSI_UNLIMITED, VMSI_LIMITED };

struct vmsi_refusal {
	struct vms_group_refusal told; /* told.stack is malloc's, or NULL */
	struct vmsi_holders holders;   /* when it was refused */
};

struct vmsi_snapshot {
	const char *program;     /* the command: "vmspace limit" */
	char **arguments;        /* of the program that it runs */
	enum vmsi_limited limited;
	struct vms_group_stats stats;
	/*
	 * What the peak had above a strict limit. No request is granted there, so
	 * it came without one: pages of files, stacks, images of programs.
	 */
	size_t unrefusable;
	int status;              /* of the first process, as of waitpid(2) */
	const struct vmsi_refusal *refusals; /* the first ones */
	size_t refusal_count;
	uint64_t refusals_told;  /* all that there were, these and more */
	struct vms_group_process *processes;
	size_t process_count;
};

/* The processes of a group that have most. */
struct vmsi_holders vmsi_holders_find(vms_group *group);

/*
 * Fill in what the group tells: stats, status, processes. Returns 0 or -ENOMEM; the
 * snapshot is freed in either case.
 */
int vmsi_snapshot_take(struct vmsi_snapshot *snapshot, vms_group *group);
void vmsi_snapshot_free(struct vmsi_snapshot *snapshot);

/* "mmap", "brk" */
const char *vmsi_call_name(enum vms_group_call call);

/* --- report_text.c ------------------------------------------------------- */

void vmsi_write_refusal(FILE *stream, const struct vmsi_refusal *refusal,
			enum vmsi_limited limited);

/*
 * The peak and how many requests were refused; with their first ones, at most
 * shown_most, unless they were told as they happened (0).
 */
void vmsi_snapshot_write_text(FILE *stream,
			      const struct vmsi_snapshot *snapshot,
			      size_t shown_most);

/* --- report_json.c ------------------------------------------------------- */

/* NULL: no memory. */
json_t *vmsi_snapshot_json(const struct vmsi_snapshot *snapshot);

#endif
