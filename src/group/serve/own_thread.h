/* SPDX-License-Identifier: MIT */
#ifndef VMSI_GROUP_SERVE_OWN_THREAD_H
#define VMSI_GROUP_SERVE_OWN_THREAD_H

#include <pthread.h>
#include <signal.h>
#include <time.h>

/*
 * Start a thread of the library. All its signals are blocked: the program's
 * handlers are to run in threads that the program knows. Returns 0 or an errno.
 */
static inline int vmsi_own_thread_start(pthread_t *thread,
					void *(*run)(void *context),
					void *context)
{
	sigset_t all, before;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(thread, NULL, run, context);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return error;
}

/* A condition whose timed waits go by CLOCK_MONOTONIC. */
static inline void vmsi_own_condition_init(pthread_cond_t *condition)
{
	pthread_condattr_t attributes;

	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(condition, &attributes);
	pthread_condattr_destroy(&attributes);
}

#endif
