/* SPDX-License-Identifier: MIT */
#include "cli/supervise/errors.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* So many bytes wait at most. One message may be longer. */
#define QUEUE_MOST ((size_t)256 << 10)

struct text {
	char *bytes;
	size_t length, capacity;
};

struct vmsi_errors {
	const char *program;
	struct text message; /* that is being written, by the supervisor alone */
	FILE *stream;        /* of it; or NULL */
	pthread_t thread;
	pthread_mutex_t lock;
	/* Under the lock. */
	struct text queue;
	uint64_t left_out; /* messages, since the last one that was queued */
	bool is_writing, is_closed;
	pthread_cond_t changed;
};

/* --- the thread --------------------------------------------------------------- */

/* What nobody can be told is lost. */
static void write_all(const struct text *text)
{
	for (size_t at = 0; at < text->length;) {
		const ssize_t got = write(STDERR_FILENO, text->bytes + at,
					  text->length - at);

		if (got <= 0 && errno != EINTR)
			return;
		at += got > 0 ? (size_t)got : 0;
	}
}

/* The queue becomes text, whose memory becomes the queue's. */
static void take_queue(struct vmsi_errors *errors, struct text *text)
{
	const struct text queue = errors->queue;

	errors->queue = *text;
	errors->queue.length = 0;
	*text = queue;
}

static void *write_queue(void *context)
{
	struct vmsi_errors *errors = context;
	struct text text = { NULL, 0, 0 };

	pthread_mutex_lock(&errors->lock);
	for (;;) {
		while (!errors->queue.length && !errors->is_closed)
			pthread_cond_wait(&errors->changed, &errors->lock);
		if (!errors->queue.length)
			break;
		take_queue(errors, &text);
		errors->is_writing = true;
		pthread_mutex_unlock(&errors->lock);
		write_all(&text);
		pthread_mutex_lock(&errors->lock);
		errors->is_writing = false;
		pthread_cond_broadcast(&errors->changed);
	}
	pthread_mutex_unlock(&errors->lock);
	free(text.bytes);
	return NULL;
}

/* Signals are for the supervisor's other threads. */
static int start_thread(struct vmsi_errors *errors)
{
	sigset_t all, before;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&errors->thread, NULL, write_queue, errors);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return error;
}

/* --- the supervisor's side ------------------------------------------------------ */

struct vmsi_errors *vmsi_errors_open(const char *program)
{
	struct vmsi_errors *errors = calloc(1, sizeof *errors);
	pthread_condattr_t clock;
	int error;

	if (!errors)
		return NULL;
	errors->program = program;
	pthread_mutex_init(&errors->lock, NULL);
	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	pthread_cond_init(&errors->changed, &clock);
	pthread_condattr_destroy(&clock);
	error = start_thread(errors);
	if (!error)
		return errors;
	free(errors);
	errno = error;
	return NULL;
}

/* Returns whether it could be added. */
static bool add(struct text *text, const char *bytes, size_t length)
{
	if (text->capacity - text->length < length) {
		const size_t capacity = 2 * text->capacity + length;
		char *more = realloc(text->bytes, capacity);

		if (!more)
			return false;
		text->bytes = more;
		text->capacity = capacity;
	}
	memcpy(text->bytes + text->length, bytes, length);
	text->length += length;
	return true;
}

/* "vmspace limit: 12 messages were left out, since nobody reads standard error" */
static bool tell_left_out(struct vmsi_errors *errors)
{
	char line[128];
	const int length = snprintf(line, sizeof line,
		"%.40s: %llu message%s left out, since nobody read standard error\n",
		errors->program, (unsigned long long)errors->left_out,
		errors->left_out == 1 ? " was" : "s were");

	if (!errors->left_out)
		return true;
	if (!add(&errors->queue, line, (size_t)length))
		return false;
	errors->left_out = 0;
	return true;
}

static void queue(struct vmsi_errors *errors, const struct text *message,
		  enum vmsi_errors_kind kind)
{
	const struct text *before = &errors->queue;
	bool is_full;

	pthread_mutex_lock(&errors->lock);
	is_full = kind == VMSI_ERRORS_ANY && before->length &&
		before->length + message->length > QUEUE_MOST;
	if (is_full || !tell_left_out(errors) ||
	    !add(&errors->queue, message->bytes, message->length))
		errors->left_out++;
	pthread_cond_broadcast(&errors->changed);
	pthread_mutex_unlock(&errors->lock);
}

static void leave_out(struct vmsi_errors *errors)
{
	pthread_mutex_lock(&errors->lock);
	errors->left_out++;
	pthread_mutex_unlock(&errors->lock);
}

FILE *vmsi_errors_begin(struct vmsi_errors *errors)
{
	errors->message = (struct text){ NULL, 0, 0 };
	errors->stream = open_memstream(&errors->message.bytes,
					&errors->message.length);
	if (!errors->stream)
		leave_out(errors);
	return errors->stream;
}

void vmsi_errors_end(struct vmsi_errors *errors, enum vmsi_errors_kind kind)
{
	const bool is_whole = !ferror(errors->stream);

	if (fclose(errors->stream) == 0 && is_whole)
		queue(errors, &errors->message, kind);
	else
		leave_out(errors);
	free(errors->message.bytes);
}

void vmsi_errors_write(struct vmsi_errors *errors, const char *format, ...)
{
	FILE *stream = vmsi_errors_begin(errors);
	va_list arguments;

	if (!stream)
		return;
	va_start(arguments, format);
	vfprintf(stream, format, arguments);
	va_end(arguments);
	vmsi_errors_end(errors, VMSI_ERRORS_ANY);
}

static struct timespec time_after(int milliseconds)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	time.tv_nsec += (long)(milliseconds % 1000) * 1000000;
	time.tv_sec += milliseconds / 1000 + time.tv_nsec / 1000000000;
	time.tv_nsec %= 1000000000;
	return time;
}

bool vmsi_errors_drain(struct vmsi_errors *errors, int milliseconds)
{
	const struct timespec until = time_after(milliseconds < 0 ? 0 :
							milliseconds);
	int error = 0;
	bool is_empty;

	pthread_mutex_lock(&errors->lock);
	while (!error && (errors->queue.length || errors->is_writing))
		error = milliseconds < 0 ?
			pthread_cond_wait(&errors->changed, &errors->lock) :
			pthread_cond_timedwait(&errors->changed, &errors->lock,
					       &until);
	/* There is room now for what was not told. */
	if (!errors->queue.length && !errors->is_writing && errors->left_out) {
		(void)tell_left_out(errors);
		pthread_cond_broadcast(&errors->changed);
	}
	is_empty = !errors->queue.length && !errors->is_writing;
	pthread_mutex_unlock(&errors->lock);
	return is_empty;
}

void vmsi_errors_close(struct vmsi_errors *errors)
{
	if (!errors)
		return;
	pthread_mutex_lock(&errors->lock);
	(void)tell_left_out(errors);
	errors->is_closed = true;
	pthread_cond_broadcast(&errors->changed);
	pthread_mutex_unlock(&errors->lock);
	pthread_join(errors->thread, NULL);
	pthread_cond_destroy(&errors->changed);
	pthread_mutex_destroy(&errors->lock);
	free(errors->queue.bytes);
	free(errors);
}
