/* SPDX-License-Identifier: MIT */
#include "group/serve/backtrace.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "group/serve/own_thread.h"

/*
 * Stacks are unwound by a thread of their own. To unwind one may take for ever:
 * its memory, or the files of its program, may be had from a process of the group
 * only (userfaultfd(2), a file system in user space), which may wait for the
 * supervisor itself. So that is not waited for; the thread ends when it can.
 */

#define UNWIND_MOST_S 3

struct reader {
	pthread_t id;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool done;
	bool abandoned;          /* the thread is to release this */
	struct vmsi_unwinding unwinding; /* of the thread until done */
};

/* Threads that nobody waits for any more. */
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
	free(reader->unwinding.text);
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
 * Returns false where it takes too long. The count comes first: the thread may
 * end at once.
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

static void unwind(struct vmsi_backtrace *stack,
		   const struct vmsi_unwinding *unwinding)
{
	struct reader *reader = make_reader(unwinding);

	if (!reader) {
		stack->why = "no memory";
		return;
	}
	if (!await_unwinding(reader)) {
		stack->why = "the stack cannot be read in time";
		return;
	}
	pthread_join(reader->id, NULL);
	stack->text = reader->unwinding.text;
	stack->why = reader->unwinding.why;
	release(reader);
}

void vmsi_backtrace_begin(struct vmsi_backtrace *stack, struct vmsi_tracer *tracer,
		      pid_t thread)
{
	int error;

	stack->why = vmsi_backtrace_why_not();
	if (!stack->why && !tracer)
		stack->why = "no thread can be traced";
	else if (!stack->why && atomic_load(&abandoned))
		stack->why = "another stack is still being read";
	if (stack->why)
		return;
	error = vmsi_tracer_ask_stop(tracer, thread, &stack->stop);
	stack->asked = !error;
	if (error)
		stack->why = error == -EPERM ? "no right to trace the thread" :
					       "the thread cannot be traced";
}

void vmsi_backtrace_read(struct vmsi_backtrace *stack, struct vmsi_tracer *tracer,
		     pid_t process)
{
	if (!stack->asked)
		return;
	if (vmsi_tracer_await_stop(tracer, &stack->stop))
		unwind(stack, &(const struct vmsi_unwinding){
			.process = process, .thread = stack->stop.thread,
			.registers = stack->stop.registers });
	else
		stack->why = "the thread has ended";
	vmsi_tracer_resume(tracer, &stack->stop);
}

void vmsi_backtrace_free(struct vmsi_backtrace *stack)
{
	free(stack->text);
	stack->text = NULL;
}
