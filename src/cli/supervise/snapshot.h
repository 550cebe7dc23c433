/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_SUPERVISE_SNAPSHOT_H
#define VMSI_CLI_SUPERVISE_SNAPSHOT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <vmspace/group.h>

#include "cli/output/json.h"
#include "cli/supervise/tally.h"
#include "cli/supervise/warn.h"

/*
 * A group at one moment: its figures, refusals and processes. Both the text and
 * the JSON are written from this.
 */

/* So many processes with the most committed memory are named in a warning. */
#define VMSI_LARGEST 3

/*
 * The peak that is told of a group that runs. What was counted and is not looked at yet is
 * told as in use, and so is in the peak.
 */
static inline size_t vmsi_peak_told(size_t peak, size_t committed)
{
	return peak < committed ? committed : peak;
}

struct vmsi_largest {
	struct vms_group_process list[VMSI_LARGEST]; /* the largest first */
	size_t count;
};

/* Whether there is a limit, or requests are refused on demand alone. */
enum vmsi_limited { VMSI_UNLIMITED, VMSI_LIMITED };

struct vmsi_snapshot {
	const char *program;     /* the command: "vmspace limit" */
	char **arguments;        /* of the program that it runs */
	enum vmsi_limited limited;
	struct vms_group_stats stats;
	/*
	 * Bytes of the peak above a strict limit. No request is granted beyond
	 * the limit, so this memory came without one: pages of files in memory,
	 * stacks that grew, images of programs.
	 */
	size_t unrefusable;
	int status;              /* of the first process, as of waitpid(2) */
	struct vmsi_tally *tally; /* of the report */
	const struct vmsi_warning *warning;
	struct vms_group_process *processes;
	size_t process_count, process_room;
};

/* Find the processes of a group with the most committed memory. */
struct vmsi_largest vmsi_largest_find(vms_group *group);

/*
 * Fill in stats, status and processes. Returns 0, or -ENOMEM where some processes
 * are missing. The caller frees the snapshot in either case.
 */
int vmsi_snapshot_take(struct vmsi_snapshot *snapshot, vms_group *group);
void vmsi_snapshot_free(struct vmsi_snapshot *snapshot);

/* "mmap", "brk" */
const char *vmsi_call_name(enum vms_group_call call);

/* --- report_text.c ------------------------------------------------------- */

/* Write a refusal with its backtrace; backtrace NULL: without one. */
void vmsi_write_refusal(FILE *stream, const struct vms_group_refusal *refusal,
			const char *backtrace, enum vmsi_limited limited);

/* How much vmsi_snapshot_write_text writes. */
enum vmsi_detail { VMSI_DETAIL_SUM, VMSI_DETAIL_STACKS };

/* Write the peak and how many requests were refused, and by which stacks. */
void vmsi_snapshot_write_text(FILE *stream,
			      const struct vmsi_snapshot *snapshot,
			      enum vmsi_detail detail);

/* --- report_json.c ------------------------------------------------------- */

/* Returns NULL without memory. */
json_t *vmsi_snapshot_json(const struct vmsi_snapshot *snapshot);

#endif
