/* SPDX-License-Identifier: MIT */
#include "run_commit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "commit.h"
#include "report_file.h"
#include "run.h"
#include "text/number.h"
#include "text/size.h"

void vmsi_commit_init(struct vmsi_commit_options *options)
{
	memset(options, 0, sizeof *options);
	options->group.struct_size = sizeof options->group;
	options->group.policy = VMS_COMMIT_STRICT;
	options->group.flags = VMS_GROUP_STACKS;
}

/* --- options ------------------------------------------------------------ */

static enum vmsi_exit take_size(const char *program, const char *text,
				size_t *bytes)
{
	if (vmsi_parse_size(text, VMSI_SIZE_FRACTION, bytes))
		return VMSI_EXIT_OK;
	return vmsi_usage_error(program, "'%s' is not a size", text);
}

static enum vmsi_exit take_number(const char *program, const char *text,
				  uint64_t *number)
{
	if (vmsi_parse_number(text, number))
		return VMSI_EXIT_OK;
	return vmsi_usage_error(program, "'%s' is not a number", text);
}

/* Requests are counted from 1 on. */
static enum vmsi_exit take_ordinal(const char *program, const char *text,
				   uint64_t *number)
{
	const enum vmsi_exit exit = take_number(program, text, number);

	if (exit != VMSI_EXIT_OK || *number > 0)
		return exit;
	return vmsi_usage_error(program, "'%s' is not a number from 1 on", text);
}

static enum vmsi_exit take_probability(const char *program, const char *text,
				       double *probability)
{
	char *end;

	*probability = strtod(text, &end);
	if (end != text && !*end && *probability >= 0 && *probability <= 1)
		return VMSI_EXIT_OK;
	return vmsi_usage_error(program, "'%s' is not a probability from 0 "
				"to 1", text);
}

/* The index of a word among others. */
static enum vmsi_exit take_word(const char *program, const char *text,
				const char *const words[], int *index)
{
	for (*index = 0; words[*index]; ++*index)
		if (strcmp(text, words[*index]) == 0)
			return VMSI_EXIT_OK;
	return vmsi_usage_error(program, "'%s' is neither '%s' nor '%s'", text,
				words[*index - 1], words[0]);
}

static enum vmsi_exit take_policy(struct vmsi_commit_options *options,
				  const char *program, const char *text)
{
	int policy;
	enum vmsi_exit result = take_word(program, text, vmsi_policy_words,
					  &policy);

	if (result == VMSI_EXIT_OK)
		options->group.policy = (enum vms_commit_policy)policy;
	return result;
}

/* Words of which the first sets a flag of the group and the second clears it. */
static enum vmsi_exit take_flag(struct vmsi_commit_options *options,
				const char *program, const char *text,
				unsigned flag)
{
	static const char *const words[] = { "free", "charge", NULL };
	int word;
	enum vmsi_exit result = take_word(program, text, words, &word);

	if (result != VMSI_EXIT_OK)
		return result;
	options->group.flags &= ~flag;
	if (word == 0)
		options->group.flags |= flag;
	return result;
}

static enum vmsi_exit take_backend(struct vmsi_commit_options *options,
				   const char *program, const char *text)
{
	static const char *const words[] = { "seccomp", "rlimit", NULL };
	int word;
	enum vmsi_exit result = take_word(program, text, words, &word);

	options->backend = (enum vmsi_backend)word;
	return result;
}

enum vmsi_exit vmsi_commit_take(struct vmsi_commit_options *options,
				const char *program, int option,
				const char *argument)
{
	struct vms_group_faults *faults = &options->group.faults;

	switch ((enum vmsi_commit_option)option) {
	case VMSI_OPTION_COMMIT:
		options->asked = true;
		options->limit_text = argument;
		return take_size(program, argument,
				 &options->group.commit_limit);
	case VMSI_OPTION_POLICY:
		return take_policy(options, program, argument);
	case VMSI_OPTION_FORK:
		return take_flag(options, program, argument,
				 VMS_GROUP_FORK_FREE);
	case VMSI_OPTION_NORESERVE:
		return take_flag(options, program, argument,
				 VMS_GROUP_NORESERVE_FREE);
	case VMSI_OPTION_BACKEND:
		return take_backend(options, program, argument);
	case VMSI_OPTION_REPORT:
		options->report = argument;
		return VMSI_EXIT_OK;
	case VMSI_OPTION_LOG:
		options->log = true;
		return VMSI_EXIT_OK;
	case VMSI_OPTION_QUIET:
		options->quiet = true;
		return VMSI_EXIT_OK;
	case VMSI_OPTION_FAIL_NTH:
		return take_ordinal(program, argument, &faults->nth);
	case VMSI_OPTION_FAIL_FROM:
		return take_ordinal(program, argument, &faults->from);
	case VMSI_OPTION_FAIL_PROB:
		return take_probability(program, argument,
					&faults->probability);
	case VMSI_OPTION_FAIL_SIZE:
		return take_size(program, argument, &faults->minimum);
	case VMSI_OPTION_FAIL_LOADER:
		faults->flags |= VMS_GROUP_FAIL_LOADER;
		return VMSI_EXIT_OK;
	case VMSI_OPTION_SEED:
		return take_number(program, argument, &faults->seed);
	case VMSI_OPTION_EXPLAIN:
		options->explain = true;
		return VMSI_EXIT_OK;
	}
	return vmsi_usage_hint(program);
}

static bool injects(const struct vms_group_faults *faults)
{
	return faults->nth || faults->from || faults->probability > 0 ||
		faults->minimum;
}

/*
 * A C library and its loader need memory for themselves before a program's first
 * line; glibc, static or not, fails with less than some 40 pages. Who asks for
 * less than this has left a letter out.
 */
#define PAGES_TO_START 16

static enum vmsi_exit check_limit(const struct vmsi_commit_options *options,
				  const char *program)
{
	const size_t limit = options->group.commit_limit;
	const char *text = options->limit_text;

	if (limit == 0)
		return vmsi_usage_error(program, "a limit of 0 bytes lets "
					"nothing start");
	/* The other policies do not compare the sum with the limit. */
	if (options->group.policy != VMS_COMMIT_STRICT ||
	    limit >= PAGES_TO_START * (size_t)sysconf(_SC_PAGESIZE))
		return VMSI_EXIT_OK;
	if (vmsi_size_lacks_unit(text))
		return vmsi_usage_error(program, "no program starts in %s "
					"bytes; did you mean %sM?", text, text);
	return vmsi_usage_error(program, "no program starts in %s", text);
}

enum vmsi_exit vmsi_commit_check(const struct vmsi_commit_options *options,
				 const char *program)
{
	const bool rlimit = options->backend == VMSI_BACKEND_RLIMIT;

	if (!options->asked)
		return vmsi_usage_error(program, "these options need "
					"--commit");
	if (check_limit(options, program) != VMSI_EXIT_OK)
		return VMSI_EXIT_USAGE;
	if (rlimit && (injects(&options->group.faults) || options->report ||
		       options->log))
		return vmsi_usage_error(program, "the rlimit back end refuses "
					"without telling: it has no report, "
					"no log and no fault injection");
	if (rlimit && options->group.policy != VMS_COMMIT_STRICT)
		return vmsi_usage_error(program, "the rlimit back end has no "
					"policy");
	return VMSI_EXIT_OK;
}

/* --- running ------------------------------------------------------------ */

static int run_limited(const struct vmsi_commit_options *options,
		       const char *path, char **arguments)
{
	const rlim_t bytes = options->group.commit_limit;
	struct rlimit limit = { bytes, bytes }, before;

	if (getrlimit(RLIMIT_DATA, &before) == 0 && before.rlim_max < bytes)
		limit = (struct rlimit){ before.rlim_max, before.rlim_max };
	if (setrlimit(RLIMIT_DATA, &limit)) {
		vmsi_run_complain(arguments[0], "RLIMIT_DATA: %s",
				  strerror(errno));
		return VMSI_EXIT_RUN_FAILED;
	}
	vmsi_restore_signals();
	execv(path, arguments);
	return (int)vmsi_run_explain_start(arguments[0], path, errno);
}

const char *vmsi_commit_why_not(int error)
{
	switch (error) {
	case ENOSYS:
		return "the kernel has no seccomp user notification that lets "
		       "calls go on (Linux 5.5)";
	case EBUSY:
		return "it runs under 'vmspace run --commit', 'vmspace sweep' "
		       "or another such supervisor already, and a process can "
		       "have one only";
	case ENOTSUP:
		return "/proc is not mounted, or shows the processes of "
		       "another namespace";
	default:
		return strerror(error);
	}
}

int vmsi_commit_run(struct vmsi_commit_options *options,
		    const char *path, char **arguments)
{
	if (options->backend == VMSI_BACKEND_RLIMIT)
		return run_limited(options, path, arguments);
	if (vms_group_probe()) {
		fprintf(stderr, "vmspace run: a commit limit cannot be "
			"enforced: %s\nvmspace run: '--backend rlimit' limits "
			"each process by itself\n", vmsi_commit_why_not(errno));
		return VMSI_EXIT_RUN_FAILED;
	}
	if (options->report && !vmsi_report_can_write(options->report))
		return VMSI_EXIT_RUN_FAILED;
	return vmsi_front_run(options, path, arguments);
}

/* --- explaining --------------------------------------------------------- */

enum vmsi_exit vmsi_commit_explain(void)
{
	int error = vms_group_probe() ? errno : 0;

	printf("seccomp: %s%s\n",
	       error ? "not here: " : "works here; what --commit uses\n"
	       "  limits   the sum of all processes that the program starts",
	       error ? vmsi_commit_why_not(error) : "");
	fputs("  sees     mmap, mprotect, mremap, brk, fork, shmget of every\n"
	      "           process, static or dynamic, before they are made\n"
	      "  sees late  stacks that grow, tmpfs and memfd pages that are\n"
	      "           touched, the data of a program that is executed:\n"
	      "           they count from the next look on\n"
	      "  misses   processes of another user's that it may not look "
	      "at;\n"
	      "           32-bit programs do not run in it, set-user-ID ones\n"
	      "           gain no rights in it\n"
	      "rlimit: works everywhere; --backend rlimit\n"
	      "  limits   each process by itself: a tree of N may have N "
	      "times\n"
	      "           the size\n"
	      "  sees     private writable memory and the heap of brk\n"
	      "  misses   shared memory, tmpfs, System V segments, stacks\n",
	      stdout);
	return vmsi_finish_output("vmspace run");
}
