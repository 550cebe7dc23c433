/* SPDX-License-Identifier: MIT */
#include "cli/supervise/supervise.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "cli/heap/heap.h"
#include "cli/output/report_file.h"
#include "cli/program/program.h"
#include "cli/supervise/job.h"

const char *vmsi_supervise_why_not(int error)
{
	switch (error) {
	case ENOSYS:
		return "the kernel has no seccomp user notification that lets "
		       "calls go on (Linux 5.5)";
	case EBUSY:
		return "it runs under 'vmspace limit', 'vmspace fail', 'vmspace "
		       "sweep' or another such supervisor already, and a "
		       "process can have one only";
	case EPERM:
	case EACCES:
		return "something that confines it refuses seccomp user "
		       "notification, such as a container's seccomp profile; "
		       "it takes seccomp(2) with SECCOMP_SET_MODE_FILTER and "
		       "SECCOMP_FILTER_FLAG_NEW_LISTENER, and memfd_create(2)";
	case ENOTSUP:
		return "/proc is not mounted, or shows the processes of "
		       "another namespace";
	default:
		return strerror(error);
	}
}

/*
 * Whether the program would be this command as a supervisor: limit, fail or
 * sweep.
 */
static bool is_supervisor(char **arguments)
{
	const char *name = arguments[1];

	return name && (strcmp(name, "limit") == 0 ||
			strcmp(name, "fail") == 0 ||
			strcmp(name, "sweep") == 0) &&
		vmsi_program_is_this(arguments[0]);
}

enum vmsi_exit vmsi_supervise_look_up(const char *command, char ***arguments,
				      struct vmsi_program *program)
{
	enum vmsi_exit result = vmsi_heap_unwrap(arguments);

	if (result != VMSI_EXIT_OK || !*arguments)
		return result;
	vmsi_complain_as(command);
	if (!**arguments)
		return vmsi_usage_error(command, "name a program");
	if (is_supervisor(*arguments)) {
		fprintf(stderr, "%s: cannot run 'vmspace %s': a process can "
			"have one supervisor only, and 'vmspace limit', "
			"'vmspace fail' and 'vmspace sweep' each are one; "
			"'vmspace fail --limit=SIZE' limits as well\n",
			command, (*arguments)[1]);
		return VMSI_EXIT_RUN_FAILED;
	}
	return vmsi_program_look_up(**arguments, program);
}

enum vmsi_exit vmsi_supervise_find(const char *command, char ***arguments,
				   struct vmsi_program *program)
{
	enum vmsi_exit result = vmsi_supervise_look_up(command, arguments,
						       program);

	if (result != VMSI_EXIT_OK || !*arguments || vms_group_probe() == 0)
		return result;
	fprintf(stderr, "%s: requests cannot be refused here: %s\n", command,
		vmsi_supervise_why_not(errno));
	return VMSI_EXIT_RUN_FAILED;
}

/* The machine's memory is what a control group without a limit leaves. */
static void tell_source(const struct vmsi_supervise_options *options)
{
	if (options->source.kind == VMSI_LIMIT_CGROUP && !options->quiet &&
	    !vmsi_limit_has_cgroup())
		fprintf(stderr, "%s: no control group limits the memory here; "
			"the limit is the machine's\n", options->program);
}

enum vmsi_exit vmsi_supervise(struct vmsi_supervise_options *options,
			      char **arguments)
{
	struct vmsi_program program;
	enum vmsi_exit result = vmsi_supervise_check(options);

	if (result == VMSI_EXIT_OK)
		result = vmsi_supervise_find(options->program, &arguments,
					     &program);
	if (result != VMSI_EXIT_OK || !arguments)
		return result;
	tell_source(options);
	if (options->report && !vmsi_report_probe(&options->report))
		return VMSI_EXIT_RUN_FAILED;
	return (enum vmsi_exit)vmsi_job_run(options, program.path, arguments);
}
