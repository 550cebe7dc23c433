/* SPDX-License-Identifier: MIT */
#include "cli/trace/group.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "cli/recording/calls.h"
#include "cli/trace/call_log.h"

/* There is one in a process. */
static struct {
	struct vmsi_recorder recorder;
	struct vmsi_sampler sampler;
	struct vmsi_call_log calls;
	bool has_limit;
	uint64_t told;    /* bytes, when this thread began to tell */
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
	if (error)
		return error;
	vmsi_sampler_begin(&beside.sampler, &beside.recorder, trace->every);
	vmsi_call_log_begin(&beside.calls, &beside.recorder);
	beside.has_limit = trace->has_limit;
	return 0;
}

static void started(void *context, pid_t first)
{
	(void)context;
	signal(SIGXFSZ, SIG_IGN);
	beside.sampler.awaited = first;
	start_thread();
}

/* The group's time, by the sampler's clock. */
static uint64_t time_of(uint64_t group_time)
{
	return group_time / 1000 + beside.skew;
}

/* What is told in between is not of the sampler's allowance. */
static void begin_telling(void)
{
	pthread_mutex_lock(&beside.sampler.lock);
	beside.told = beside.recorder.place + beside.recorder.used;
}

static void end_telling(void)
{
	beside.sampler.told_beside +=
		beside.recorder.place + beside.recorder.used - beside.told;
	pthread_mutex_unlock(&beside.sampler.lock);
}

static void tell_call(struct vmsi_recorded_event *event, const char *backtrace)
{
	const uint64_t now = vmsi_sampler_time(&beside.sampler);

	vmsi_call_log_add(&beside.calls, event, backtrace, now);
}

static void refused(void *context, const struct vms_group_refusal *refusal)
{
	struct vmsi_recorded_event event = {
		.time = time_of(refusal->time),
		.kind = VMSI_RECORDED_CALL, .owner = VMSI_NOBODY,
		.call = vmsi_recorded_calls[refusal->call],
		.count = 1, .error = ENOMEM, .size = refusal->requested,
	};

	(void)context;
	begin_telling();
	event.process = vmsi_sampler_announce(&beside.sampler, refusal->process,
					      refusal->command);
	tell_call(&event, refusal->backtrace);
	end_telling();
}

static void granted(void *context, const struct vms_group_grant *grant)
{
	struct vmsi_recorded_event event = {
		.time = time_of(grant->time), .first = time_of(grant->time),
		.kind = VMSI_RECORDED_CALL, .owner = VMSI_NOBODY,
		.call = vmsi_recorded_calls[grant->call],
		.count = 1, .size = grant->requested, .commit = grant->charged,
	};

	(void)context;
	begin_telling();
	event.process = vmsi_sampler_announce(&beside.sampler, grant->process,
					      grant->command);
	tell_call(&event, grant->backtrace);
	end_telling();
}

static void tell_limit(const struct vms_group_stats *stats)
{
	if (!beside.has_limit || (stats->limit == beside.limit &&
				  stats->committed == beside.committed))
		return;
	beside.limit = stats->limit;
	beside.committed = stats->committed;
	vmsi_recorder_event(&beside.recorder, &(struct vmsi_recorded_event){
		.kind = VMSI_RECORDED_LIMIT, .size = stats->limit,
		.commit = stats->committed,
	});
}

static void look(void *context, const struct vms_group_stats *stats)
{
	const uint64_t age = stats->age / 1000;
	const uint64_t now = vmsi_sampler_time(&beside.sampler);

	(void)context;
	beside.skew = now > age ? now - age : 0;
	begin_telling();
	vmsi_recorder_time(&beside.recorder, now);
	tell_limit(stats);
	vmsi_call_log_look(&beside.calls, now);
	end_telling();
}

static void finish(const struct vmsi_trace *trace)
{
	stop_thread();
	vmsi_call_log_end(&beside.calls);
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
	vmsi_call_log_free(&beside.calls);
	close(beside.stop);
}

const struct vmsi_beside vmsi_trace_beside = {
	.begin = begin,
	.started = started,
	.refused = refused,
	.granted = granted,
	.look = look,
	.ended = ended,
	.close = close_all,
};
