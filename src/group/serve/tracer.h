/* SPDX-License-Identifier: MIT */
#ifndef VMSI_GROUP_SERVE_TRACER_H
#define VMSI_GROUP_SERVE_TRACER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "group/serve/restart.h"

/*
 * The thread that owns all tracing of a group. Linux ties a traced thread to the
 * one thread that traces it, so every use of ptrace(2) goes through here: the
 * restart of calls that a signal interrupts, and the stop of a thread whose
 * stack is read.
 *
 * The functions are called by the thread that serves the group.
 */

struct vmsi_tracer;

/*
 * first is the group's first process, and listener is where calls are answered
 * (vmsi_tracer_let_go). Returns 0 or -errno.
 */
int vmsi_tracer_start(pid_t first, int listener, struct vmsi_tracer **made);

/* Threads that are still traced are let go. NULL is ignored. */
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
	VMSI_THEN_CONTINUE, /* the call goes on when no thread is traced */
	VMSI_THEN_REPEAT,   /* the caller's own thread: the call is made again */
};

/*
 * Let all threads of a process go, for the sake of the notified call id of
 * ptrace(2), which the thread caller makes. The tracer answers it when that has
 * been done, or as soon as it has begun (VMSI_THEN_REPEAT); it is not waited for.
 */
void vmsi_tracer_let_go(struct vmsi_tracer *tracer, pid_t process, pid_t caller,
			uint64_t id, enum vmsi_then then);

/* --- the first process ---------------------------------------------------- */

/*
 * While the first process is traced its stops are told to the tracer only.
 * Returns whether it is, and then in signal what has stopped it since the last
 * question; 0: nothing has.
 */
bool vmsi_tracer_first_stop(struct vmsi_tracer *tracer, int *signal);

/*
 * The first process has ended and the tracer has reaped it, or is about to:
 * its status, as of waitpid(2).
 */
int vmsi_tracer_first_status(struct vmsi_tracer *tracer);

/* --- one stopped thread --------------------------------------------------- */

/* A thread that is stopped on its way back from a call. */
struct vmsi_stop {
	struct vmsi_stop *next;
	pid_t thread;
	bool seized;       /* for this stop only */
	bool stopped;
	bool gone;         /* it has ended, or is another program */
	int resume;        /* how it is resumed: a status of waitpid(2) */
	struct vmsi_registers registers;
};

/*
 * Ask for a stop of a thread. Returns 0, then stop belongs to the tracer until
 * vmsi_tracer_resume; or -errno.
 */
int vmsi_tracer_ask_stop(struct vmsi_tracer *tracer, pid_t thread,
			 struct vmsi_stop *stop);

/* Wait for the stop. Returns false where the thread has gone. */
bool vmsi_tracer_await_stop(struct vmsi_tracer *tracer, struct vmsi_stop *stop);

/* Let the thread run again. */
void vmsi_tracer_resume(struct vmsi_tracer *tracer, struct vmsi_stop *stop);

#endif
