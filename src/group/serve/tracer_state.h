/* SPDX-License-Identifier: MIT */
#ifndef VMSI_GROUP_SERVE_TRACER_STATE_H
#define VMSI_GROUP_SERVE_TRACER_STATE_H

#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "group/serve/tracer.h"
#include "group/serve/bell.h"

/* What the files of the tracer share. No other file includes this. */

struct command;

/* A thread that is let go as soon as it stops. */
struct vmsi_leaving {
	pid_t thread, process;
	uint64_t id;      /* the call that goes on when all have left */
	enum vmsi_then then;
};

struct vmsi_tracer {
	pthread_t thread;
	pid_t tid;
	pid_t first;
	int listener;
	struct vmsi_bell bell;
	/* Only the tracer's thread touches these. */
	struct vmsi_leaving *leaving;
	size_t leaving_count, leaving_capacity;
	bool quits;
	/* lock guards what follows; changed is told of each change. */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct command *commands;
	struct vmsi_stop *stops;
	int started;      /* 1: it runs; -errno: it does not; 0: not known */
	bool has_first;
	bool first_ended;
	int first_status;
	int first_signal;
};

/* --- statuses of waitpid(2), of stopped threads --------------------------- */

static inline int vmsi_status_event(int status)
{
	return status >> 16;
}

/* Whether a signal has stopped the whole process, which is to stay stopped. */
static inline bool vmsi_status_is_group_stop(int status)
{
	return vmsi_status_event(status) == PTRACE_EVENT_STOP &&
		WSTOPSIG(status) != SIGTRAP;
}

/* The signal that a thread was stopped to receive; 0: an event stopped it. */
static inline long vmsi_status_signal(int status)
{
	return vmsi_status_event(status) ? 0 : WSTOPSIG(status);
}

/* --- threads.c ---------------------------------------------------------- */

/* Call visit with each thread of a process; its first error ends the walk. */
int vmsi_traced_each(struct vmsi_tracer *tracer, pid_t process,
		     int (*visit)(struct vmsi_tracer *tracer, pid_t thread,
				  void *context),
		     void *context);

bool vmsi_traced_has_ended(pid_t thread);

/* Let a stopped thread run on, or trace it no more; its signal is delivered. */
void vmsi_traced_resume(pid_t thread, int status);
void vmsi_traced_detach(struct vmsi_tracer *tracer, pid_t thread, int status);

/* A thread is traced no more: note that if it is the group's first process. */
void vmsi_traced_lose_first(struct vmsi_tracer *tracer, pid_t thread);

/* --- stops.c: threads whose stop somebody waits for ----------------------- */

/*
 * Interrupt a thread, and trace it for that if it is not. Returns 0 or -errno.
 */
int vmsi_stop_begin(struct vmsi_tracer *tracer, struct vmsi_stop *stop);
void vmsi_stop_finish(struct vmsi_tracer *tracer, struct vmsi_stop *stop);

/*
 * A thread has stopped. Returns whether somebody waits for that: it stays
 * stopped.
 */
bool vmsi_stop_keep(struct vmsi_tracer *tracer, pid_t thread, int status);

/* A thread has ended, or has executed another program: its stop will not come. */
void vmsi_stop_end(struct vmsi_tracer *tracer, pid_t thread);

/* --- leaving.c: letting go ------------------------------------------------ */

/* Let all threads of a process go; caller is the thread of the call. */
void vmsi_leaving_let_go(struct vmsi_tracer *tracer, pid_t caller,
			 const struct vmsi_leaving *of);
bool vmsi_leaving_has(const struct vmsi_tracer *tracer, pid_t thread);

/* Returns whether the thread was to leave; it is traced no more. */
bool vmsi_leaving_note_left(struct vmsi_tracer *tracer, pid_t thread);

#endif
