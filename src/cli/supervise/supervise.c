/* SPDX-License-Identifier: MIT */
#include "cli/supervise/supervise.h"

#include <errno.h>
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
	case ENOTSUP:
		return "/proc is not mounted, or shows the processes of "
		       "another namespace";
	default:
		return strerror(error);
	}
}

/* Whether requests can be asked about here; where not, it is told why. */
static enum vmsi_exit probe(const struct vmsi_supervise_options *options)
{
	if (vms_group_probe() == 0)
		return VMSI_EXIT_OK;
	fprintf(stderr, "%s: requests cannot be refused here: %s\n",
		options->program, vmsi_supervise_why_not(errno));
	return VMSI_EXIT_RUN_FAILED;
}

enum vmsi_exit vmsi_supervise(struct vmsi_supervise_options *options,
			      char **arguments)
{
	struct vmsi_program program;
	enum vmsi_exit result;

	vmsi_complain_as(options->program);
	result = vmsi_supervise_check(options);
	if (result == VMSI_EXIT_OK)
		result = vmsi_heap_unwrap(&arguments);
	if (result != VMSI_EXIT_OK || !arguments)
		return result;
	vmsi_complain_as(options->program);
	if (!*arguments)
		return vmsi_usage_error(options->program, "name a program");
	result = vmsi_program_look_up(*arguments, &program);
	if (result == VMSI_EXIT_OK)
		result = probe(options);
	if (result != VMSI_EXIT_OK)
		return result;
	if (options->report && !vmsi_report_can_write(options->report))
		return VMSI_EXIT_RUN_FAILED;
	return (enum vmsi_exit)vmsi_job_run(options, program.path, arguments);
}
