/* SPDX-License-Identifier: MIT */
#include "group/serve/tracer_state.h"

#include <errno.h>

#include "group/process/proc.h"
#include "text/number.h"

/* What the tracer does to the threads of a traced process. */

int vmsi_traced_each(struct vmsi_tracer *tracer, pid_t process,
		       int (*visit)(struct vmsi_tracer *tracer, pid_t thread,
				    void *context),
		       void *context)
{
	DIR *threads = vmsi_proc_open_threads(process);
	struct dirent *entry;
	pid_t thread;
	int error = 0;

	if (!threads)
		return errno == ENOENT ? 0 : -errno;
	while (!error && (entry = readdir(threads)))
		if (vmsi_parse_int(entry->d_name, &thread))
			error = visit(tracer, thread, context);
	closedir(threads);
	return error;
}

bool vmsi_traced_has_ended(pid_t thread)
{
	return !vmsi_proc_is_alive(thread, thread);
}

void vmsi_traced_lose_first(struct vmsi_tracer *tracer, pid_t thread)
{
	if (thread != tracer->first)
		return;
	pthread_mutex_lock(&tracer->lock);
	tracer->has_first = false;
	pthread_mutex_unlock(&tracer->lock);
}

void vmsi_traced_resume(pid_t thread, int status)
{
	if (vmsi_status_is_group_stop(status))
		(void)ptrace(PTRACE_LISTEN, thread, NULL, NULL);
	else
		(void)ptrace(PTRACE_CONT, thread, NULL,
			     (void *)vmsi_status_signal(status));
}

void vmsi_traced_detach(struct vmsi_tracer *tracer, pid_t thread, int status)
{
	(void)ptrace(PTRACE_DETACH, thread, NULL,
		     (void *)vmsi_status_signal(status));
	vmsi_traced_lose_first(tracer, thread);
}
