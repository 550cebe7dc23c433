/* SPDX-License-Identifier: MIT */
#include "group/serve/backtrace.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "group/serve/own_thread.h"

/*
 * A stack is unwound by a thread of the library, because that may take for
 * ever: the memory of the stopped thread, or the files of its program, may come
 * from a process of the group (userfaultfd(2), a file system in user space),
 * which may be waiting for the supervisor. So the supervisor waits for some
 * seconds only, and abandons the unwinding thread, which ends when it can.
 */

#define UNWIND_MOST_S 3

struct reader {
	pthread_t id;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool done;
	bool abandoned;          /* the thread releases this at its end */
	struct vmsi_unwinding unwinding; /* belongs to the thread until done */
};

/* How many threads nobody waits for any more. */
static atomic_int abandoned;

static void release(struct reader *reader)
{
	pthread_cond_destroy(&reader->changed);
	pthread_mutex_destroy(&reader->lock);
	free(reader);
}

static void *run_reader(void *context)
{
	struct reader *reader = context;
	bool is_last;

	vmsi_backtrace_unwind(&reader->unwinding);
	pthread_mutex_lock(&reader->lock);
	reader->done = true;
	is_last = reader->abandoned;
	pthread_cond_signal(&reader->changed);
	pthread_mutex_unlock(&reader->lock);
	if (!is_last)
		return NULL;
	vmsi_frames_drop(&reader->unwinding.frames);
	pthread_detach(reader->id);
	release(reader);
	atomic_fetch_sub(&abandoned, 1);
	return NULL;
}

static struct reader *make_reader(const struct vmsi_unwinding *unwinding)
{
	struct reader *reader = calloc(1, sizeof *reader);

	if (!reader)
		return NULL;
	reader->unwinding = *unwinding;
	pthread_mutex_init(&reader->lock, NULL);
	vmsi_own_condition_init(&reader->changed);
	if (vmsi_own_thread_start(&reader->id, run_reader, reader) == 0)
		return reader;
	release(reader);
	return NULL;
}

/*
 * Returns false where it takes too long. The thread is counted as abandoned
 * before it can see that it is, for it may end at once and count itself off.
 */
static bool await_unwinding(struct reader *reader)
{
	struct timespec until;
	int error = 0;
	bool done;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += UNWIND_MOST_S;
	atomic_fetch_add(&abandoned, 1);
	pthread_mutex_lock(&reader->lock);
	while (!reader->done && error != ETIMEDOUT)
		error = pthread_cond_timedwait(&reader->changed, &reader->lock,
					       &until);
	done = reader->done;
	reader->abandoned = !done;
	pthread_mutex_unlock(&reader->lock);
	if (done)
		atomic_fetch_sub(&abandoned, 1);
	return done;
}

static void unwind(struct vmsi_backtrace *backtrace,
		   const struct vmsi_unwinding *unwinding)
{
	struct reader *reader = make_reader(unwinding);

	if (!reader) {
		backtrace->why = "no memory";
		return;
	}
	if (!await_unwinding(reader)) {
		backtrace->why = "the stack cannot be read in time";
		return;
	}
	pthread_join(reader->id, NULL);
	backtrace->why = reader->unwinding.why;
	if (!backtrace->why)
		backtrace->stack = vmsi_seen_take(&reader->unwinding.frames);
	if (!backtrace->why && !backtrace->stack)
		backtrace->why = "no memory";
	release(reader);
}

void vmsi_backtrace_begin(struct vmsi_backtrace *backtrace, struct vmsi_tracer *tracer,
		      pid_t thread)
{
	int error;

	backtrace->why = vmsi_backtrace_why_not();
	if (!backtrace->why && !tracer)
		backtrace->why = "no thread can be traced";
	else if (!backtrace->why && atomic_load(&abandoned))
		backtrace->why = "another stack is still being read";
	if (backtrace->why)
		return;
	error = vmsi_tracer_ask_stop(tracer, thread, &backtrace->stop);
	backtrace->asked = !error;
	if (error)
		backtrace->why = error == -EPERM ? "no right to trace the thread" :
					       "the thread cannot be traced";
}

void vmsi_backtrace_read(struct vmsi_backtrace *backtrace, struct vmsi_tracer *tracer,
		     pid_t process)
{
	if (!backtrace->asked)
		return;
	if (vmsi_tracer_await_stop(tracer, &backtrace->stop))
		unwind(backtrace, &(const struct vmsi_unwinding){
			.process = process, .thread = backtrace->stop.thread,
			.registers = backtrace->stop.registers });
	else
		backtrace->why = "the thread has ended";
	vmsi_tracer_resume(tracer, &backtrace->stop);
}

void vmsi_backtrace_free(struct vmsi_backtrace *backtrace)
{
	vmsi_seen_drop(backtrace->stack);
	backtrace->stack = NULL;
}
