/* SPDX-License-Identifier: MIT */
#include "group/serve/tracer_state.h"

#include <errno.h>
#include <time.h>

#include "group/process/proc.h"

/* Threads for whose stop the serving thread waits. */

/*
 * While it waits, the serving thread looks whether the other one has vanished:
 * soon for the first time, and then less and less often.
 */
#define LOOK_FIRST_NS (200l * 1000)
#define LOOK_MOST_NS (50l * 1000 * 1000)

static struct vmsi_stop **find_stop(struct vmsi_tracer *tracer, pid_t thread)
{
	struct vmsi_stop **link = &tracer->stops;

	while (*link && ((*link)->thread != thread || (*link)->gone))
		link = &(*link)->next;
	return link;
}

/* With the lock. */
static void unlink_stop(struct vmsi_tracer *tracer, const struct vmsi_stop *stop)
{
	struct vmsi_stop **link = &tracer->stops;

	while (*link != stop)
		link = &(*link)->next;
	*link = stop->next;
}

static void run_again(struct vmsi_tracer *tracer, const struct vmsi_stop *stop)
{
	if (stop->seized)
		vmsi_traced_detach(tracer, stop->thread, stop->resume);
	else
		vmsi_traced_resume(stop->thread, stop->resume);
}

/*
 * All that is needed of a thread was captured: it runs again, and the stop is the
 * serving thread's, which may look at it from then on. Or it waits for that thread.
 * Where that thread has taken it for gone, it runs again, too.
 */
static void end_capture(struct vmsi_tracer *tracer, struct vmsi_stop *stop,
			bool is_all)
{
	struct vmsi_stop kept;
	bool is_gone;

	pthread_mutex_lock(&tracer->lock);
	is_gone = stop->gone;
	stop->stopped = !is_gone;
	stop->resumed = !is_gone && is_all;
	if (stop->resumed)
		unlink_stop(tracer, stop);
	kept = *stop;
	pthread_mutex_unlock(&tracer->lock);
	if (is_gone || is_all)
		run_again(tracer, &kept);
	pthread_cond_broadcast(&tracer->changed);
}

bool vmsi_stop_keep(struct vmsi_tracer *tracer, pid_t thread, int status)
{
	struct vmsi_stop *stop;

	pthread_mutex_lock(&tracer->lock);
	stop = *find_stop(tracer, thread);
	pthread_mutex_unlock(&tracer->lock);
	if (!stop)
		return false;
	stop->resume = status;
	if (vmsi_registers_read(thread, &stop->capture->registers))
		vmsi_stop_end(tracer, thread);
	else
		end_capture(tracer, stop, vmsi_capture_take(stop->capture));
	return true;
}

void vmsi_stop_end(struct vmsi_tracer *tracer, pid_t thread)
{
	struct vmsi_stop *stop;

	pthread_mutex_lock(&tracer->lock);
	stop = *find_stop(tracer, thread);
	if (stop) {
		stop->gone = true;
		pthread_cond_broadcast(&tracer->changed);
	}
	pthread_mutex_unlock(&tracer->lock);
}

int vmsi_stop_begin(struct vmsi_tracer *tracer, struct vmsi_stop *stop)
{
	stop->seized = vmsi_proc_tracer(stop->thread) != tracer->tid;
	if (stop->seized && ptrace(PTRACE_SEIZE, stop->thread, NULL,
				   (void *)PTRACE_O_TRACEEXEC))
		return -errno;
	if (ptrace(PTRACE_INTERRUPT, stop->thread, NULL, NULL))
		return -errno;
	pthread_mutex_lock(&tracer->lock);
	if (stop->seized && stop->thread == tracer->first)
		tracer->has_first = true;
	stop->next = tracer->stops;
	tracer->stops = stop;
	pthread_mutex_unlock(&tracer->lock);
	return 0;
}

void vmsi_stop_finish(struct vmsi_tracer *tracer, struct vmsi_stop *stop)
{
	pthread_mutex_lock(&tracer->lock);
	unlink_stop(tracer, stop);
	pthread_mutex_unlock(&tracer->lock);
	if (stop->gone && vmsi_proc_tracer(stop->thread) != tracer->tid)
		vmsi_traced_lose_first(tracer, stop->thread);
	if (stop->stopped && !stop->gone)
		run_again(tracer, stop);
}

static void look_again_in(long pause, struct timespec *until)
{
	clock_gettime(CLOCK_MONOTONIC, until);
	until->tv_nsec += pause;
	if (until->tv_nsec >= 1000000000) {
		until->tv_nsec -= 1000000000;
		until->tv_sec++;
	}
}

/*
 * If another thread of a process executes a program, the first thread ends
 * without its tracer being told, and the other thread gets its number.
 */
bool vmsi_tracer_await_stop(struct vmsi_tracer *tracer, struct vmsi_stop *stop)
{
	struct timespec until;
	long pause = LOOK_FIRST_NS;
	bool stopped;

	pthread_mutex_lock(&tracer->lock);
	while (!stop->stopped && !stop->gone) {
		look_again_in(pause, &until);
		pause = 2 * pause < LOOK_MOST_NS ? 2 * pause : LOOK_MOST_NS;
		if (pthread_cond_timedwait(&tracer->changed, &tracer->lock,
					   &until) == ETIMEDOUT &&
		    !stop->stopped && !stop->gone)
			stop->gone = vmsi_proc_tracer(stop->thread) !=
				tracer->tid;
	}
	stopped = stop->stopped;
	pthread_mutex_unlock(&tracer->lock);
	return stopped;
}
