/* SPDX-License-Identifier: MIT */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/recording/read.h"
#include "cli/trace/group.h"

/*
 * The recorder of 'vmspace trace' looks at processes in one thread, while the supervisor
 * of their group tells it of their calls in another, and the library traces and names in
 * two more.
 */

/*
 * ThreadSanitizer takes a process that shares memory for a thread which it does not know.
 * The tracer's bell is one; a copy of the memory is all that it needs.
 */
int clone(int (*run)(void *context), void *stack, int flags, void *context, ...)
{
	const long pid = syscall(SYS_clone, flags & ~CLONE_VM, NULL, NULL, NULL, 0L);

	(void)stack;
	if (pid == 0)
		_exit(run(context));
	return (int)pid;
}

#define PROGRAMS "30"
#define MIB ((size_t)1 << 20)

/* Each program ends before the recorder has looked twice. */
static char script[] = "i=0; while [ $i -lt " PROGRAMS " ]; do i=$((i+1)); "
	"/bin/true & /bin/true; wait; done; "
	"dd if=/dev/zero of=/dev/null bs=1G count=1 2>/dev/null; exit 3";

static char path[] = "/tmp/vmspace-trace-race-XXXXXX";
static struct vmsi_trace trace = { .path = path, .every = 200000, .has_limit = true };
static uint64_t granted, refused;

static void take_grant(void *context, vms_group *group,
		       const struct vms_group_grant *grant)
{
	(void)group;
	granted++;
	vmsi_trace_beside.granted(context, grant);
}

static void take_refusal(void *context, vms_group *group,
			 const struct vms_group_refusal *refusal)
{
	(void)group;
	refused++;
	vmsi_trace_beside.refused(context, refusal);
}

static vms_group *start(char **arguments)
{
	const struct vms_group_options options = {
		.struct_size = sizeof options, .commit_limit = 512 * MIB,
		.policy = VMS_COMMIT_STRICT,
		.flags = VMS_GROUP_BACKTRACES | VMS_GROUP_GRANT_BACKTRACES,
		.on_refusal = take_refusal, .context = &trace,
		.on_grant = take_grant, .grant_context = &trace,
	};
	vms_group *group;

	assert_int_equal(vmsi_trace_beside.begin(&trace, arguments), 0);
	group = vms_group_spawn(&options, "/bin/sh", arguments, NULL);
	assert_non_null(group);
	vmsi_trace_beside.started(&trace, vms_group_first(group));
	return group;
}

static void serve(vms_group *group)
{
	struct vms_group_stats stats = { .struct_size = sizeof stats };
	int event = VMS_GROUP_NOTHING;

	while (event != VMS_GROUP_EMPTY) {
		event = vms_group_serve(group, 5);
		assert_int_not_equal(event, -1);
		assert_int_equal(vms_group_get_stats(group, &stats), 0);
		vmsi_trace_beside.look(&trace, &stats);
		if (event == VMS_GROUP_FIRST_ENDED)
			vmsi_trace_beside.ended(&trace, vms_group_status(group),
						false);
	}
}

static void expect_all_calls(void)
{
	struct vmsi_recording recording;
	uint64_t with_error = 0, without = 0;
	size_t programs = 0;

	assert_int_equal(vmsi_recording_read_file(&recording, path), 0);
	assert_false(recording.is_cut);
	for (size_t i = 0; i < recording.event_count; i++) {
		const struct vmsi_recorded_event *event = &recording.events[i];

		if (event->kind != VMSI_RECORDED_CALL)
			continue;
		assert_int_not_equal(event->process, VMSI_NOBODY);
		*(event->error ? &with_error : &without) += event->count;
	}
	assert_int_equal(with_error, refused);
	assert_int_equal(without, granted);
	for (size_t i = 0; i < recording.process_count; i++) {
		assert_true(recording.processes[i].is_ended);
		programs += strcmp(recording.processes[i].name, "true") == 0;
	}
	print_message("# %zu programs, %zu processes, %llu granted, %llu refused\n",
		      programs, recording.process_count,
		      (unsigned long long)granted, (unsigned long long)refused);
	assert_true(programs > 0 && granted > programs && refused > 0);
	vmsi_recording_free(&recording);
}

static void calls_are_told_while_processes_are_looked_at(void **state)
{
	char shell[] = "sh", option[] = "-c";
	char *arguments[] = { shell, option, script, NULL };
	vms_group *group;

	(void)state;
	if (vms_group_probe()) {
		print_message("# groups do not work here\n");
		skip();
	}
	trace.file = mkstemp(path);
	assert_true(trace.file >= 0);
	group = start(arguments);
	serve(group);
	vms_group_close(group);
	vmsi_trace_beside.close(&trace);
	expect_all_calls();
	close(trace.file);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calls_are_told_while_processes_are_looked_at),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
