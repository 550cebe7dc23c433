/* SPDX-License-Identifier: MIT */
#include "cli/sweep/sweep.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vmspace/group.h>

#include "cli/output/demangle.h"
#include "cli/supervise/descriptors.h"
#include "cli/supervise/snapshot.h"

/* How long a worker waits for the processes that it has killed. */
#define KILLED_MS 5000

/*
 * Functions in which a sanitizer's runtime asks for memory for itself: while it begins,
 * and while it looks for leaks at the end. It does not go on where it is refused that,
 * or hangs, and no mistake of the program shows.
 */
static bool is_of_sanitizer(const char *backtrace)
{
	static const char *const functions[] = {
		"__asan::AsanInit", "__asan_init", "__asan_register_",
		"__hwasan_init", "__lsan_init", "__lsan::", "__msan_init",
		"__tsan::Initialize", "__sanitizer::TracerThread",
	};

	for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++)
		if (strstr(backtrace, functions[i]))
			return true;
	return false;
}

static void take_refusal(void *context, vms_group *group,
			 const struct vms_group_refusal *refusal)
{
	struct vmsi_sweep_result *result = context;
	const char *backtrace = refusal->backtrace ?
		refusal->backtrace : refusal->why_no_backtrace;
	char *plain = backtrace ? vmsi_demangle_backtrace(backtrace) : NULL;

	(void)group;
	result->requested = refusal->requested;
	memcpy(result->command, refusal->command, sizeof result->command);
	strncpy(result->call, vmsi_call_name(refusal->call),
		sizeof result->call - 1);
	if (backtrace)
		strncpy(result->backtrace, plain ? plain : backtrace,
			VMSI_SWEEP_BACKTRACE - 1);
	free(plain);
	if (is_of_sanitizer(result->backtrace))
		result->verdict = VMSI_SWEEP_LEFT_OUT;
}

/* --- streams ------------------------------------------------------------------- */

static int replace(int descriptor, int with)
{
	if (with < 0 || dup2(with, descriptor) < 0)
		return -errno;
	return 0;
}

/*
 * Give the program its input and no standard error, and have it write its output
 * to a memfd. Returns the memfd, or -errno.
 */
static int redirect(const struct vmsi_sweep_options *options,
		    const struct vmsi_sweep_output *known)
{
	int nothing = open("/dev/null", O_WRONLY | O_CLOEXEC);
	int input, output;
	int error = vmsi_sweep_open_streams(options, known, &input, &output);

	if (error)
		return error;
	error = replace(STDIN_FILENO, input);
	if (!error)
		error = replace(STDOUT_FILENO, output);
	if (!error)
		error = replace(STDERR_FILENO, nothing);
	/*
	 * The writer to a named pipe gets EPIPE only when nobody but the program
	 * has had it.
	 */
	close(input);
	return error ? error : output;
}

/* --- the run -------------------------------------------------------------------- */

/* How often a worker looks whether a signal has come that ends the sweep. */
#define LOOK_MS 100

/*
 * Serve the requests until the first process ends. Returns false where it has to
 * be killed: it has stopped, it took too long, its request was a sanitizer's, or the
 * sweep is to end.
 */
static bool serve(vms_group *group, double until,
		  const struct vmsi_sweep_result *result)
{
	for (;;) {
		const double left_ms = (until - vmsi_sweep_now()) * 1000;

		if (left_ms <= 0 || vmsi_sweep_interrupted() ||
		    result->verdict == VMSI_SWEEP_LEFT_OUT)
			return false;
		switch (vms_group_serve(group, left_ms < LOOK_MS ?
					(int)left_ms + 1 : LOOK_MS)) {
		case VMS_GROUP_FIRST_ENDED:
			return true;
		case VMS_GROUP_FIRST_STOPPED:
			/* Nobody would send it SIGCONT. */
			return false;
		case VMS_GROUP_NOTHING:
			break;
		default:
			return true;
		}
	}
}

/* Kill what is left of the group, so that it does not disturb the next run. */
static void end_group(vms_group *group)
{
	const double until = vmsi_sweep_now() + KILLED_MS / 1e3;

	while (vmsi_sweep_now() < until && vms_group_kill(group, SIGKILL) > 0)
		if (vms_group_serve(group, 10) == VMS_GROUP_EMPTY)
			break;
	vms_group_close(group);
}

static void run(const struct vmsi_sweep_options *options, double timeout,
		struct vmsi_sweep_result *result, bool *in_time)
{
	const double begin = vmsi_sweep_now();
	struct vms_group_stats stats = { .struct_size = sizeof stats };
	const struct vms_group_options group_options = {
		.struct_size = sizeof group_options,
		.policy = VMS_COMMIT_ALWAYS,
		.flags = VMS_GROUP_BACKTRACES,
		/* Without nth, minimum would refuse each request of that size. */
		.faults = { .nth = result->number ? result->number :
						     UINT64_MAX,
			    .minimum = options->minimum },
		.on_refusal = take_refusal,
		.context = result,
	};
	vms_group *group = vms_group_spawn(&group_options, options->path,
					   options->arguments, NULL);

	if (!group) {
		result->error = errno;
		return;
	}
	vmsi_let_go_of_descriptors(NULL);
	vmsi_let_go_of_directory(NULL);
	*in_time = serve(group, begin + timeout, result);
	result->seconds = vmsi_sweep_now() - begin;
	(void)vms_group_get_stats(group, &stats);
	result->made = stats.requests;
	result->status = vms_group_status(group);
	end_group(group);
}

/* --- all of it ------------------------------------------------------------------ */

void vmsi_sweep_run(const struct vmsi_sweep_options *options, uint64_t request,
		    double timeout, const struct vmsi_sweep_output *output,
		    struct vmsi_sweep_result *result)
{
	bool in_time = true;
	int file = redirect(options, output);

	result->kind = VMSI_SWEEP_REQUEST;
	result->number = request;
	result->error = file < 0 ? -file : 0;
	if (!result->error)
		run(options, timeout, result, &in_time);
	if (result->error || result->verdict != VMSI_SWEEP_LEFT_OUT)
		result->verdict = vmsi_sweep_judge(result, output, file, in_time,
						   result->call[0] != '\0');
	/* It was ended with the sweep, and nothing is known of it. */
	if (!in_time && vmsi_sweep_interrupted())
		result->verdict = VMSI_SWEEP_UNTRIED;
}
