/* SPDX-License-Identifier: MIT */
#include "run_commit.h"

/* Where there is no libseccomp: 'vmspace run --commit' says so. */

void vmsi_commit_init(struct vmsi_commit_options *options)
{
	options->asked = false;
	options->explain = false;
}

enum vmsi_exit vmsi_commit_take(struct vmsi_commit_options *options,
				const char *program, int option,
				const char *argument)
{
	(void)options;
	(void)option;
	(void)argument;
	fprintf(stderr, "%s: this vmspace was built without libseccomp, and so "
		"without --commit\n", program);
	return VMSI_EXIT_RUN_FAILED;
}

enum vmsi_exit vmsi_commit_check(const struct vmsi_commit_options *options,
				 const char *program)
{
	(void)options;
	(void)program;
	return VMSI_EXIT_OK;
}

enum vmsi_exit vmsi_commit_explain(void)
{
	return VMSI_EXIT_RUN_FAILED;
}

int vmsi_commit_run(struct vmsi_commit_options *options,
		    const char *path, char **arguments)
{
	(void)options;
	(void)path;
	(void)arguments;
	return VMSI_EXIT_RUN_FAILED;
}
