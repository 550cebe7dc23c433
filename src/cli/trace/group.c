/* SPDX-License-Identifier: MIT */
#include "cli/trace/group.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "cli/output/demangle.h"
#include "cli/recording/calls.h"
#include "cli/trace/stack_numbers.h"

/* There is one in a process. */
static struct {
	struct vmsi_recorder recorder;
	struct vmsi_sampler sampler;
	struct vmsi_stack_numbers stacks;
	pthread_t thread;
	int stop;         /* eventfd: the thread is to end */
	bool is_running;
	uint64_t limit, committed; /* that were told last */
	uint64_t skew;    /* the group's times are so much less; microseconds */
} beside;

/* --- the thread that samples ------------------------------------------------ */

static void *sample(void *nothing)
{
	struct pollfd watched = { .fd = beside.stop, .events = POLLIN };

	(void)nothing;
	for (;;) {
		const uint64_t wait = vmsi_sampler_look(&beside.sampler);
		const struct timespec time = {
			.tv_sec = (time_t)(wait / 1000000000),
			.tv_nsec = (long)(wait % 1000000000),
		};

		if (ppoll(&watched, 1, &time, NULL) > 0)
			return NULL;
	}
}

/* It gets no signals: those are for the thread that serves. */
static void start_thread(void)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	beside.is_running = pthread_create(&beside.thread, NULL, sample, NULL) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void stop_thread(void)
{
	if (!beside.is_running)
		return;
	(void)eventfd_write(beside.stop, 1);
	pthread_join(beside.thread, NULL);
	beside.is_running = false;
}

/* --- what the supervisor calls ---------------------------------------------- */

static int begin(void *context, char **arguments)
{
	const struct vmsi_trace *trace = context;
	int error;

	beside.stop = eventfd(0, EFD_CLOEXEC);
	if (beside.stop < 0)
		return -errno;
	error = vmsi_trace_open(trace, arguments, &beside.recorder);
	if (!error)
		vmsi_sampler_begin(&beside.sampler, &beside.recorder, trace->every);
	return error;
}

static void started(void *context, pid_t first)
{
	(void)context;
	signal(SIGXFSZ, SIG_IGN);
	beside.sampler.awaited = first;
	start_thread();
}

static void refused(void *context, const struct vms_group_refusal *refusal)
{
	struct vmsi_recorded_event event = {
		.time = refusal->time / 1000 + beside.skew,
		.kind = VMSI_RECORDED_CALL, .owner = VMSI_NOBODY,
		.stack = VMSI_NOBODY, .call = vmsi_recorded_calls[refusal->call],
		.error = ENOMEM, .size = refusal->requested,
	};
	char *lines = refusal->backtrace ?
		vmsi_demangle_backtrace(refusal->backtrace) : NULL;

	(void)context;
	pthread_mutex_lock(&beside.sampler.lock);
	event.process = vmsi_sampler_find(&beside.sampler, refusal->process);
	if (lines)
		event.stack = vmsi_stack_number(&beside.stacks, &beside.recorder,
						lines);
	vmsi_recorder_time(&beside.recorder, vmsi_sampler_time(&beside.sampler));
	vmsi_recorder_event(&beside.recorder, &event);
	pthread_mutex_unlock(&beside.sampler.lock);
	free(lines);
}

static void look(void *context, const struct vms_group_stats *stats)
{
	const uint64_t age = stats->age / 1000;
	const uint64_t now = vmsi_sampler_time(&beside.sampler);

	(void)context;
	beside.skew = now > age ? now - age : 0;
	if (stats->limit == beside.limit && stats->committed == beside.committed)
		return;
	beside.limit = stats->limit;
	beside.committed = stats->committed;
	pthread_mutex_lock(&beside.sampler.lock);
	vmsi_recorder_time(&beside.recorder, now);
	vmsi_recorder_event(&beside.recorder, &(struct vmsi_recorded_event){
		.kind = VMSI_RECORDED_LIMIT, .size = stats->limit,
		.commit = stats->committed,
	});
	pthread_mutex_unlock(&beside.sampler.lock);
}

static void finish(const struct vmsi_trace *trace)
{
	stop_thread();
	(void)vmsi_sampler_finish(&beside.sampler);
	vmsi_trace_complain(trace, &beside.sampler);
}

/* The file is complete before the command ends, unless others live on. */
static void ended(void *context, int status, bool are_all)
{
	vmsi_sampler_tell_end(&beside.sampler, status);
	if (are_all)
		finish(context);
}

static void close_all(void *context)
{
	if (!beside.sampler.is_finished)
		finish(context);
	vmsi_sampler_free(&beside.sampler);
	vmsi_recorder_close(&beside.recorder);
	vmsi_stack_numbers_free(&beside.stacks);
	close(beside.stop);
}

const struct vmsi_beside vmsi_trace_beside = {
	.begin = begin,
	.started = started,
	.refused = refused,
	.look = look,
	.ended = ended,
	.close = close_all,
};
