/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_SUPERVISE_LIMIT_SOURCE_H
#define VMSI_CLI_SUPERVISE_LIMIT_SOURCE_H

#include <stdbool.h>
#include <stddef.h>

/* Where a limit comes from: a size, the control groups, or the machine. */

struct vmsi_limit_source {
	enum {
		VMSI_LIMIT_SIZE,   /* it is as it was given */
		VMSI_LIMIT_CGROUP, /* the least memory.max of those the caller is in */
		VMSI_LIMIT_RAM,
	} kind;
	double parts; /* of it, above 0 and at most 1 */
};

/*
 * Read "cgroup", "cgroup:90%", "ram" or "ram:50%". Returns false where text is none
 * of them, and then *source is VMSI_LIMIT_SIZE.
 */
bool vmsi_limit_source_parse(const char *text, struct vmsi_limit_source *source);

/* Read "85%", above 0 and at most 100, as a part of 1. Returns whether it is. */
bool vmsi_percentage_parse(const char *text, double *parts);

/* "cgroup", "ram:12.5%"; "" for a size. */
struct vmsi_limit_source_text {
	char text[40];
};

struct vmsi_limit_source_text
vmsi_limit_source_text(const struct vmsi_limit_source *source);

/* What a source that is no size gives now, in bytes; at least 1. */
size_t vmsi_limit_source_bytes(const struct vmsi_limit_source *source);

/*
 * Whether a control group limits the memory to less than the machine has. Where none
 * does, the machine's memory is the limit.
 */
bool vmsi_limit_has_cgroup(void);

#endif
