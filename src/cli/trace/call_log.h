/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_CALL_LOG_H
#define VMSI_CLI_CALL_LOG_H

#include "cli/recording/calls.h"
#include "cli/trace/stack_numbers.h"

/*
 * Tells a recording of calls within an allowance of bytes, which grows with time. While
 * there is much of it each call is an event of its own. Then those that were granted to
 * one process by one call from one stack are summed until there is some again; and where
 * they come from too many places, those of one call.
 */

#define VMSI_CALL_SUMS 1024u /* a power of two */

/* For what begins, and what comes with time; and what is kept of it for sums. */
#define VMSI_CALL_BYTES_FIRST INT64_C(1048576)
#define VMSI_CALL_BYTES_A_SECOND INT64_C(8000)
#define VMSI_CALL_BYTES_KEPT INT64_C(262144)

struct vmsi_call_log {
	struct vmsi_recorder *recorder;
	struct vmsi_stack_numbers stacks;
	int64_t bytes;    /* that may be told; below 0: they are to be waited for */
	uint64_t now;     /* up to when they have grown; microseconds */
	/* By place; count 0: the place is free. */
	struct vmsi_recorded_event sums[VMSI_CALL_SUMS];
	size_t sum_count;
	struct vmsi_recorded_event rest[VMSI_RECORDED_CALLS]; /* of all other places */
};

void vmsi_call_log_begin(struct vmsi_call_log *log, struct vmsi_recorder *recorder);

/*
 * Tell of a call, at a time of the recorder in microseconds. lines is its stack as it was
 * taken; NULL: it has none. A refusal is never summed.
 */
void vmsi_call_log_add(struct vmsi_call_log *log, struct vmsi_recorded_event *event,
		       const char *lines, uint64_t now);

/* Tell of sums where that is allowed. */
void vmsi_call_log_look(struct vmsi_call_log *log, uint64_t now);

/* Tell of all sums: nothing more comes. */
void vmsi_call_log_end(struct vmsi_call_log *log);
void vmsi_call_log_free(struct vmsi_call_log *log);

#endif
