/* SPDX-License-Identifier: MIT */
#include "host/thread.h"

#include <errno.h>
#include <signal.h>

/*
 * A thread inherits the mask of signals of who begins it: so no signal of the program
 * comes to a thread that the program does not know.
 */
long vmsi_host_start_thread(pthread_t *thread, size_t stack, void *(*run)(void *),
			    void *context)
{
	pthread_attr_t attributes;
	sigset_t all, earlier;
	int error = pthread_attr_init(&attributes);

	if (error)
		return -error;
	/* Libc refuses what does not hold its own; then the usual size is taken. */
	(void)pthread_attr_setstacksize(&attributes, stack);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &earlier);
	error = pthread_create(thread, &attributes, run, context);
	/* Thread-local storage of the program may need more. */
	if (error == EINVAL)
		error = pthread_create(thread, NULL, run, context);
	pthread_sigmask(SIG_SETMASK, &earlier, NULL);
	pthread_attr_destroy(&attributes);
	return -error;
}

void vmsi_host_join_thread(pthread_t thread)
{
	(void)pthread_join(thread, NULL);
}
