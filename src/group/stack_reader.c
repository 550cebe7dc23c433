/* SPDX-License-Identifier: MIT */
#include "group/state.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>

/*
 * Stacks are read by a thread of their own. To read one may take for ever: its
 * memory, or the files of its program, may be had from a process of the group
 * only (userfaultfd(2), a file system in user space), which may wait for the
 * supervisor itself. So that is not waited for; the thread ends when it can.
 */

#define UNWIND_MOST_S 3

enum phase { STARTING, SEIZED, ANSWERED, STOPPED, DONE };

struct vmsi_stack_reader {
	pthread_t id;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	enum phase phase;
	bool abandoned;          /* the thread is to release this */
	pid_t process, thread;
	struct vmsi_stack stack; /* of the thread until DONE */
};

/* Threads that nobody waits for any more. */
static atomic_int abandoned;

/* Not where it is further already. */
static void enter(struct vmsi_stack_reader *reader, enum phase phase)
{
	pthread_mutex_lock(&reader->lock);
	if (reader->phase < phase)
		reader->phase = phase;
	pthread_cond_signal(&reader->changed);
	pthread_mutex_unlock(&reader->lock);
}

/* Returns false where it has not come by then; NULL: it is waited for. */
static bool await(struct vmsi_stack_reader *reader, enum phase phase,
		  const struct timespec *until)
{
	int error = 0;
	bool came;

	pthread_mutex_lock(&reader->lock);
	while (reader->phase < phase && error != ETIMEDOUT)
		error = until ? pthread_cond_timedwait(&reader->changed,
						       &reader->lock, until) :
			pthread_cond_wait(&reader->changed, &reader->lock);
	came = reader->phase >= phase;
	if (!came)
		reader->abandoned = true;
	pthread_mutex_unlock(&reader->lock);
	return came;
}

static void release(struct vmsi_stack_reader *reader)
{
	pthread_cond_destroy(&reader->changed);
	pthread_mutex_destroy(&reader->lock);
	free(reader);
}

static void finish(struct vmsi_stack_reader *reader)
{
	bool is_last;

	pthread_mutex_lock(&reader->lock);
	reader->phase = DONE;
	is_last = reader->abandoned;
	pthread_cond_signal(&reader->changed);
	pthread_mutex_unlock(&reader->lock);
	if (!is_last)
		return;
	vmsi_stack_free(&reader->stack);
	pthread_detach(reader->id);
	release(reader);
	atomic_fetch_sub(&abandoned, 1);
}

/* Whoever has seized a thread is the one that has to do all of it. */
static void *read_stack(void *context)
{
	struct vmsi_stack_reader *reader = context;
	struct vmsi_stack *stack = &reader->stack;

	if (vmsi_stack_seize(stack, reader->thread)) {
		enter(reader, SEIZED);
		(void)await(reader, ANSWERED, NULL);
		if (vmsi_stack_stop(stack, reader->thread)) {
			enter(reader, STOPPED);
			vmsi_stack_unwind(stack, reader->process,
					  reader->thread);
		}
	}
	finish(reader);
	return NULL;
}

/* No signal of the caller's is for it. */
static int start(struct vmsi_stack_reader *reader)
{
	sigset_t all, before;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&reader->id, NULL, read_stack, reader);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return error;
}

static struct vmsi_stack_reader *make_reader(pid_t process, pid_t thread)
{
	struct vmsi_stack_reader *reader = calloc(1, sizeof *reader);
	pthread_condattr_t attributes;

	if (!reader)
		return NULL;
	reader->process = process;
	reader->thread = thread;
	pthread_mutex_init(&reader->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&reader->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	if (start(reader) == 0)
		return reader;
	release(reader);
	return NULL;
}

void vmsi_stack_begin(struct vmsi_stack *stack, pid_t process, pid_t thread)
{
	if (atomic_load(&abandoned)) {
		stack->why = "another stack is still being read";
		return;
	}
	stack->reader = make_reader(process, thread);
	if (stack->reader)
		(void)await(stack->reader, SEIZED, NULL);
	else
		stack->why = "no memory";
}

/* The count comes first: the thread may end at once. */
static bool await_unwinding(struct vmsi_stack_reader *reader)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += UNWIND_MOST_S;
	atomic_fetch_add(&abandoned, 1);
	if (!await(reader, DONE, &until))
		return false;
	atomic_fetch_sub(&abandoned, 1);
	return true;
}

void vmsi_stack_read(struct vmsi_stack *stack)
{
	struct vmsi_stack_reader *reader = stack->reader;

	if (!reader)
		return;
	enter(reader, ANSWERED);
	(void)await(reader, STOPPED, NULL);
	if (!await_unwinding(reader)) {
		*stack = (struct vmsi_stack){
			.why = "the stack cannot be read in time" };
		return;
	}
	pthread_join(reader->id, NULL);
	*stack = reader->stack;
	release(reader);
}
