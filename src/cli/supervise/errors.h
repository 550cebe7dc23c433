/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_SUPERVISE_ERRORS_H
#define VMSI_CLI_SUPERVISE_ERRORS_H

#include <stdbool.h>
#include <stdio.h>

/*
 * Standard error of a supervisor. It may be a pipe that nobody reads, or a terminal that
 * was stopped: then a write waits, and with it would all processes that ask the supervisor.
 * So what it writes goes to a queue, and a thread writes from there. Where the queue is
 * full, messages are left out and counted, and the next one says how many.
 *
 * One thread uses these functions.
 */
struct vmsi_errors;

/*
 * program is who writes, for the message that says how many were left out. Returns NULL
 * with errno set where there is no memory or no thread.
 */
struct vmsi_errors *vmsi_errors_open(const char *program);

/* Begin a message. Returns the stream for it, or NULL where there is no memory for one. */
FILE *vmsi_errors_begin(struct vmsi_errors *errors);

enum vmsi_errors_kind {
	VMSI_ERRORS_ANY,  /* left out where the queue is full */
	VMSI_ERRORS_KEPT, /* there is one of it, and it is never left out */
};

/* End the message that was begun. */
void vmsi_errors_end(struct vmsi_errors *errors, enum vmsi_errors_kind kind);

/* A message of one line. */
__attribute__((format(printf, 2, 3)))
void vmsi_errors_write(struct vmsi_errors *errors, const char *format, ...);

/*
 * Wait for so many milliseconds, of which -1 are any number, until all has been written.
 * Returns whether it has, or cannot be.
 */
bool vmsi_errors_drain(struct vmsi_errors *errors, int milliseconds);

/* Waits until all has been written. */
void vmsi_errors_close(struct vmsi_errors *errors);

#endif
