/* SPDX-License-Identifier: MIT */
#ifndef VMSI_GROUP_SERVE_TRACER_H
#define VMSI_GROUP_SERVE_TRACER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "group/serve/capture.h"

/*
 * The thread that does all tracing of a group. Linux ties a traced thread to
 * the one thread that traces it, so every ptrace(2) is made here: to have calls
 * made again that a signal has interrupted, and to stop a thread for its
 * backtrace.
 *
 * The thread that serves the group calls these functions.
 */

struct vmsi_tracer;

/*
 * Start a tracer. first is the group's first process; calls are answered by
 * listener (vmsi_tracer_let_go). Returns 0 or -errno.
 */
int vmsi_tracer_start(pid_t first, int listener, struct vmsi_tracer **made);

/*
 * End a tracer; threads that are still traced are let go. NULL: nothing
 * happens.
 */
void vmsi_tracer_stop(struct vmsi_tracer *tracer);

/*
 * Trace all threads of a process, those that it makes later, and its children
 * until they execute a program. Returns 0, also where they are traced by this
 * tracer already, or -errno where some thread cannot be traced.
 */
int vmsi_tracer_seize(struct vmsi_tracer *tracer, pid_t process);

/* Whether this tracer traces a thread; false for a NULL tracer. */
bool vmsi_tracer_has(const struct vmsi_tracer *tracer, pid_t thread);

enum vmsi_then {
	VMSI_THEN_CONTINUE, /* the call goes on when no thread is traced any more */
	VMSI_THEN_REPEAT,   /* the caller is to be let go: it makes the call again */
};

/*
 * Let all threads of a process go, because the thread caller makes a call of
 * ptrace(2), the notification id. The tracer answers that call when all have
 * gone, or at once (VMSI_THEN_REPEAT). This function does not wait for it.
 */
void vmsi_tracer_let_go(struct vmsi_tracer *tracer, pid_t process, pid_t caller,
			uint64_t id, enum vmsi_then then);

/* --- the first process ---------------------------------------------------- */

/*
 * While the first process is traced, only its tracer is told that it has
 * stopped. Returns whether it is traced, and takes the signal that has stopped
 * it since the last call; 0: none has.
 */
bool vmsi_tracer_first_stop(struct vmsi_tracer *tracer, int *signal);

/*
 * The first process has ended, and the tracer has waited for it or is about to.
 * Returns its status, as of waitpid(2).
 */
int vmsi_tracer_first_status(struct vmsi_tracer *tracer);

/* --- one stopped thread --------------------------------------------------- */

/* A thread that is stopped on its way back from a call. */
struct vmsi_stop {
	struct vmsi_stop *next;
	pid_t thread;
	bool seized;       /* it is traced for this stop only */
	bool stopped;
	bool resumed;      /* all was captured, and it runs again */
	bool gone;         /* it has ended, or is another program */
	int resume;        /* the status of waitpid(2) that it is resumed by */
	struct vmsi_capture *capture; /* freed by vmsi_tracer_resume; NULL: taken */
};

/*
 * Ask for a stop of a thread, to capture what it takes to unwind it. Returns 0, then
 * stop belongs to the tracer until vmsi_tracer_resume; or -errno.
 */
int vmsi_tracer_ask_stop(struct vmsi_tracer *tracer, pid_t thread,
			 struct vmsi_stop *stop);

/*
 * Wait for the stop. Returns false where the thread has gone. It is still stopped, or
 * runs again if nothing more is needed of it (resumed).
 */
bool vmsi_tracer_await_stop(struct vmsi_tracer *tracer, struct vmsi_stop *stop);

/* Let the thread run again, if it does not. */
void vmsi_tracer_resume(struct vmsi_tracer *tracer, struct vmsi_stop *stop);

#endif
