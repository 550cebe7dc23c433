/* SPDX-License-Identifier: MIT */
#include "cli/sweep/sweep.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <vmspace/group.h>

#include "cli/supervise/descriptors.h"
#include "cli/supervise/snapshot.h"

/* How long a worker waits for the processes that it has killed. */
#define KILLED_MS 5000

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void take_refusal(void *context, vms_group *group,
			 const struct vms_group_refusal *refusal)
{
	struct vmsi_sweep_result *result = context;
	const char *backtrace = refusal->backtrace ?
		refusal->backtrace : refusal->why_no_backtrace;

	(void)group;
	result->requested = refusal->requested;
	memcpy(result->command, refusal->command, sizeof result->command);
	strncpy(result->call, vmsi_call_name(refusal->call),
		sizeof result->call - 1);
	strncpy(result->backtrace, backtrace ? backtrace : "",
		sizeof result->backtrace - 1);
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
	int input = open(options->input ? options->input : "/dev/null",
			 O_RDONLY | O_CLOEXEC);
	int nothing = open("/dev/null", O_WRONLY | O_CLOEXEC);
	int output = known->known ?
		memfd_create("vmspace-sweep", MFD_CLOEXEC) : known->file;
	int error = replace(STDIN_FILENO, input);

	if (!error)
		error = replace(STDOUT_FILENO, output);
	if (!error)
		error = replace(STDERR_FILENO, nothing);
	/*
	 * The writer to a named pipe gets EPIPE only when nobody but the program
	 * has had it.
	 */
	if (input >= 0)
		close(input);
	return error ? error : output;
}

/* --- the run -------------------------------------------------------------------- */

/* How often a worker looks whether a signal has come that ends the sweep. */
#define LOOK_MS 100

/*
 * Serve the requests until the first process ends. Returns false where it has to
 * be killed: it has stopped, it took too long, or the sweep is to end.
 */
static bool serve(vms_group *group, double until)
{
	for (;;) {
		const double left_ms = (until - now()) * 1000;

		if (left_ms <= 0 || vmsi_sweep_interrupted())
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
	const double until = now() + KILLED_MS / 1e3;

	while (now() < until && vms_group_kill(group, SIGKILL) > 0)
		if (vms_group_serve(group, 10) == VMS_GROUP_EMPTY)
			break;
	vms_group_close(group);
}

static void run(const struct vmsi_sweep_options *options, double timeout,
		struct vmsi_sweep_result *result, bool *in_time)
{
	const double begin = now();
	struct vms_group_stats stats = { .struct_size = sizeof stats };
	const struct vms_group_options group_options = {
		.struct_size = sizeof group_options,
		.policy = VMS_COMMIT_ALWAYS,
		.flags = VMS_GROUP_BACKTRACES,
		/* Without nth, minimum would refuse each request of that size. */
		.faults = { .nth = result->request ? result->request :
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
	*in_time = serve(group, begin + timeout);
	result->seconds = now() - begin;
	(void)vms_group_get_stats(group, &stats);
	result->requests = stats.requests;
	result->status = vms_group_status(group);
	end_group(group);
}

/* --- the verdict ------------------------------------------------------------------ */

static bool are_equal(int a, int b)
{
	struct stat status_a, status_b;
	size_t length;
	void *bytes_a, *bytes_b;
	bool equal;

	if (fstat(a, &status_a) || fstat(b, &status_b) ||
	    status_a.st_size != status_b.st_size)
		return false;
	length = (size_t)status_a.st_size;
	if (length == 0)
		return true;
	bytes_a = mmap(NULL, length, PROT_READ, MAP_SHARED, a, 0);
	bytes_b = mmap(NULL, length, PROT_READ, MAP_SHARED, b, 0);
	equal = bytes_a != MAP_FAILED && bytes_b != MAP_FAILED &&
		memcmp(bytes_a, bytes_b, length) == 0;
	if (bytes_a != MAP_FAILED)
		munmap(bytes_a, length);
	if (bytes_b != MAP_FAILED)
		munmap(bytes_b, length);
	return equal;
}

static enum vmsi_sweep_verdict judge(const struct vmsi_sweep_result *result,
				     const struct vmsi_sweep_output *output,
				     int file, bool in_time)
{
	if (result->error)
		return VMSI_SWEEP_BROKEN;
	if (!in_time)
		return VMSI_SWEEP_HUNG;
	if (WIFSIGNALED(result->status))
		return VMSI_SWEEP_CRASHED;
	if (result->request > 0 && result->call[0] == '\0')
		return VMSI_SWEEP_NOT_MADE;
	if (!output->known)
		return VMSI_SWEEP_SAME;
	if (result->status != output->status)
		return VMSI_SWEEP_FAILED;
	if (output->differs)
		return VMSI_SWEEP_WENT_ON;
	return are_equal(file, output->file) ? VMSI_SWEEP_SAME : VMSI_SWEEP_WRONG;
}

void vmsi_sweep_run(const struct vmsi_sweep_options *options, uint64_t request,
		    double timeout, const struct vmsi_sweep_output *output,
		    struct vmsi_sweep_result *result)
{
	bool in_time = true;
	int file = redirect(options, output);

	result->request = request;
	result->error = file < 0 ? -file : 0;
	if (!result->error)
		run(options, timeout, result, &in_time);
	result->verdict = judge(result, output, file, in_time);
}
