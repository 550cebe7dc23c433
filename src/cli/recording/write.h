/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_RECORDING_WRITE_H
#define VMSI_CLI_RECORDING_WRITE_H

#include <stdbool.h>

#include "cli/recording/recording.h"

/*
 * Writes a recording while it goes on. What was flushed stays readable, whatever
 * becomes of the writer; what was not is lost with it. After the first error nothing
 * more is written, and the file ends with the last whole frame.
 */
struct vmsi_recorder {
	int file;
	int error;            /* 0, or -errno of the first write that failed */
	uint64_t place;       /* where the next frame begins */
	uint64_t page_size;
	uint64_t time;        /* of the last item */
	uint32_t process;     /* that is spoken of */
	uint64_t position;    /* the end of the last place in it */
	uint32_t process_count, owner_count, stack_count;
	unsigned char *frame; /* head and payload */
	size_t used;          /* bytes of frame */
};

/*
 * Write the head: program, machine, began and page_size of recording. Returns 0, or
 * -errno, and there is nothing to close. The file stays the caller's.
 */
int vmsi_recorder_open(struct vmsi_recorder *recorder, int file,
		       const struct vmsi_recording *head);

/* What comes next happened at this time; it does not go back. */
void vmsi_recorder_time(struct vmsi_recorder *recorder, uint64_t time);

/* Add to a table, and return the number in it. */
uint32_t vmsi_recorder_process(struct vmsi_recorder *recorder, pid_t pid,
			       uint32_t parent, const char *name);
uint32_t vmsi_recorder_owner(struct vmsi_recorder *recorder, uint32_t process,
			     enum vmsi_owner_kind kind, const char *name);
/* lines: a frame each, with newlines between. */
uint32_t vmsi_recorder_stack(struct vmsi_recorder *recorder, const char *lines);

/* A life of a process has ended; status is NULL where it is not known. */
void vmsi_recorder_ended(struct vmsi_recorder *recorder, uint32_t process,
			 const int *status);

/*
 * Add an event at the current time. A call may be told late, and has its own time; it
 * is one of vmsi_recorded_calls; those that were granted may be summed.
 */
void vmsi_recorder_event(struct vmsi_recorder *recorder,
			 const struct vmsi_recorded_event *event);

/* Write what there is. Returns 0, or the first error. */
int vmsi_recorder_flush(struct vmsi_recorder *recorder);

/* Write that this is the end, and flush. */
int vmsi_recorder_finish(struct vmsi_recorder *recorder);
void vmsi_recorder_close(struct vmsi_recorder *recorder);

#endif
