/* SPDX-License-Identifier: MIT */
#include "group/serve/backtrace.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "group/serve/own_thread.h"

/*
 * The tracer copies a stack when its thread stops, and lets the thread go on. Where the
 * thread has files that nobody has opened yet, or a stack that cannot be copied, it
 * stays stopped for a thread of the library, because that may take for ever: the memory
 * of the stopped thread, or the files of its program, may come from a process of the
 * group (userfaultfd(2), a file system in user space), which may be waiting for the
 * supervisor. So the supervisor waits for some seconds only, and abandons the reading
 * thread, which ends when it can.
 */

#define UNWIND_MOST_S 3

struct reader {
	pthread_t id;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool done;
	bool abandoned;          /* the thread releases this at its end */
	/* These belong to the thread until done. */
	struct vmsi_capture *capture;
	struct vmsi_frames frames;
	bool is_unwound;         /* to frames, or why */
	const char *why;
};

/* How many threads nobody waits for any more. */
static atomic_int abandoned;

static void release(struct reader *reader)
{
	pthread_cond_destroy(&reader->changed);
	pthread_mutex_destroy(&reader->lock);
	vmsi_frames_drop(&reader->frames);
	vmsi_capture_free(reader->capture);
	free(reader);
}

static void read_stack(struct reader *reader)
{
	if (vmsi_capture_open_files(reader->capture))
		return;
	reader->why = vmsi_capture_unwind(reader->capture, &reader->frames);
	reader->is_unwound = true;
}

static void *run_reader(void *context)
{
	struct reader *reader = context;
	bool is_last;

	read_stack(reader);
	pthread_mutex_lock(&reader->lock);
	reader->done = true;
	is_last = reader->abandoned;
	pthread_cond_signal(&reader->changed);
	pthread_mutex_unlock(&reader->lock);
	if (!is_last)
		return NULL;
	pthread_detach(reader->id);
	release(reader);
	atomic_fetch_sub(&abandoned, 1);
	return NULL;
}

/* Takes the capture over, also where it returns NULL. */
static struct reader *make_reader(struct vmsi_capture *capture)
{
	struct reader *reader = calloc(1, sizeof *reader);

	if (!reader) {
		vmsi_capture_free(capture);
		return NULL;
	}
	reader->capture = capture;
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
static bool await_reading(struct reader *reader)
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

/* Returns the stack that was read, or NULL with why. */
static struct vmsi_taken *take_read(struct reader *reader, const char **why)
{
	struct vmsi_capture *capture = reader->capture;
	struct vmsi_taken *taken;

	*why = reader->why;
	if (*why)
		return NULL;
	reader->capture = NULL;
	if (!reader->is_unwound) {
		taken = vmsi_seen_take(capture);
	} else {
		vmsi_capture_free(capture);
		taken = vmsi_seen_take_frames(&reader->frames);
		reader->frames.count = 0;
	}
	if (!taken)
		*why = "no memory";
	return taken;
}

/*
 * By another thread, while the thread is stopped, which goes on before anything else is
 * done. Takes the capture over.
 */
static void read_stopped(struct vmsi_backtrace *backtrace,
			 struct vmsi_tracer *tracer)
{
	struct reader *reader = make_reader(backtrace->stop.capture);
	const bool is_read = reader && await_reading(reader);

	backtrace->stop.capture = NULL;
	vmsi_tracer_resume(tracer, &backtrace->stop);
	if (!is_read) {
		backtrace->why = reader ? "the stack cannot be read in time" :
					  "no memory";
		return;
	}
	pthread_join(reader->id, NULL);
	backtrace->stack = take_read(reader, &backtrace->why);
	release(reader);
}

/* All was captured, and the thread runs again. */
static void take_captured(struct vmsi_backtrace *backtrace,
			  struct vmsi_tracer *tracer)
{
	backtrace->stack = vmsi_seen_take(backtrace->stop.capture);
	backtrace->stop.capture = NULL;
	if (!backtrace->stack)
		backtrace->why = "no memory";
	vmsi_tracer_resume(tracer, &backtrace->stop);
}

void vmsi_backtrace_begin(struct vmsi_backtrace *backtrace, struct vmsi_tracer *tracer,
		      pid_t thread)
{
	int error;

	backtrace->why = vmsi_backtrace_why_not();
	if (!backtrace->why && !tracer)
		backtrace->why = "no thread can be traced";
	else if (!backtrace->why &&
		 (atomic_load(&abandoned) || vmsi_seen_is_full()))
		backtrace->why = "another stack is still being read";
	if (backtrace->why)
		return;
	error = vmsi_tracer_ask_stop(tracer, thread, &backtrace->stop);
	backtrace->asked = !error;
	if (error == -ENOMEM)
		backtrace->why = "no memory";
	else if (error)
		backtrace->why = error == -EPERM ? "no right to trace the thread" :
					       "the thread cannot be traced";
}

void vmsi_backtrace_read(struct vmsi_backtrace *backtrace,
			 struct vmsi_tracer *tracer)
{
	if (!backtrace->asked)
		return;
	if (!vmsi_tracer_await_stop(tracer, &backtrace->stop)) {
		backtrace->why = "the thread has ended";
		vmsi_tracer_resume(tracer, &backtrace->stop);
	} else if (backtrace->stop.resumed) {
		take_captured(backtrace, tracer);
	} else {
		read_stopped(backtrace, tracer);
	}
}

void vmsi_backtrace_free(struct vmsi_backtrace *backtrace)
{
	vmsi_seen_drop(backtrace->stack);
	backtrace->stack = NULL;
}
