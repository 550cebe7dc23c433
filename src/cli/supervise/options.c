/* SPDX-License-Identifier: MIT */
#include "cli/supervise/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/output/report_file.h"
#include "cli/output/size.h"
#include "cli/policy.h"
#include "cli/supervise/control.h"
#include "text/number.h"
#include "text/size.h"

void vmsi_supervise_init(struct vmsi_supervise_options *options,
			 const char *program)
{
	*options = (struct vmsi_supervise_options){
		.program = program,
		.group = {
			.struct_size = sizeof options->group,
			.policy = VMS_COMMIT_STRICT,
			.flags = VMS_GROUP_BACKTRACES,
		},
	};
	vmsi_warn_init(&options->warn);
}

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

static enum vmsi_exit take_ordinal(const char *program, const char *text,
				   uint64_t *number)
{
	const enum vmsi_exit exit = take_number(program, text, number);

	if (exit != VMSI_EXIT_OK || *number > 0)
		return exit;
	return vmsi_usage_error(program, "'%s' is not a number from 1 on", text);
}

/*
 * With --prob=0 nothing is refused. Without any other choice vms_group_faults
 * would refuse each request of the minimum size, so nth chooses one that never
 * comes.
 */
static enum vmsi_exit take_chance(const char *program, const char *text,
				  struct vms_group_faults *faults)
{
	char *end;
	const double chance = strtod(text, &end);

	if (end == text || *end || !(chance >= 0 && chance <= 1))
		return vmsi_usage_error(program, "'%s' is not a probability "
					"from 0 to 1", text);
	faults->probability = chance;
	if (chance <= 0 && faults->nth == 0)
		faults->nth = UINT64_MAX;
	return VMSI_EXIT_OK;
}

/*
 * --size=0 refuses each request, so it becomes 1: a minimum of 0 means that none
 * is given.
 */
static enum vmsi_exit take_minimum(const char *program, const char *text,
				   struct vms_group_faults *faults)
{
	const enum vmsi_exit result = take_size(program, text,
						&faults->minimum);

	if (result == VMSI_EXIT_OK && faults->minimum == 0)
		faults->minimum = 1;
	return result;
}

#define WORDS_LONGEST 128

/* Write "'c', 'b' nor 'a'" for the words a, b and c, of which there are count. */
static const char *list_words(char list[WORDS_LONGEST],
			      const char *const words[], size_t count)
{
	size_t length = 0;

	for (size_t i = count; i > 0 && length < WORDS_LONGEST; i--)
		length += (size_t)snprintf(list + length,
					   WORDS_LONGEST - length, "%s'%s'",
					   i == count ? "" :
					   i > 1 ? ", " : " nor ",
					   words[i - 1]);
	return list;
}

/* Find a word among others, the last of which is followed by NULL. */
static enum vmsi_exit take_word(const char *program, const char *text,
				const char *const words[], int *index)
{
	char list[WORDS_LONGEST];

	for (*index = 0; words[*index]; ++*index)
		if (strcmp(text, words[*index]) == 0)
			return VMSI_EXIT_OK;
	return vmsi_usage_error(program, "'%s' is neither %s", text,
				list_words(list, words, (size_t)*index));
}

/* Take "free", which sets a flag of the group, or "charge", which clears it. */
static enum vmsi_exit take_flag(struct vmsi_supervise_options *options,
				const char *text, unsigned flag)
{
	static const char *const words[] = { "free", "charge", NULL };
	int word;
	enum vmsi_exit result = take_word(options->program, text, words, &word);

	if (result != VMSI_EXIT_OK)
		return result;
	options->group.flags &= ~flag;
	if (word == 0)
		options->group.flags |= flag;
	return result;
}

static enum vmsi_exit take_policy(struct vmsi_supervise_options *options,
				  const char *text)
{
	int policy;
	enum vmsi_exit result = take_word(options->program, text,
					  vmsi_policy_words, &policy);

	if (result == VMSI_EXIT_OK)
		options->group.policy = (enum vms_commit_policy)policy;
	return result;
}

static enum vmsi_exit take_fault(struct vmsi_supervise_options *options,
				 int option, const char *argument)
{
	struct vms_group_faults *faults = &options->group.faults;
	const char *program = options->program;

	switch (option) {
	case VMSI_OPTION_NTH:
		return take_ordinal(program, argument, &faults->nth);
	case VMSI_OPTION_FROM:
		return take_ordinal(program, argument, &faults->from);
	case VMSI_OPTION_PROB:
		return take_chance(program, argument, faults);
	case VMSI_OPTION_SIZE:
		return take_minimum(program, argument, faults);
	case VMSI_OPTION_SEED:
		return take_number(program, argument, &faults->seed);
	case VMSI_OPTION_LOADER:
		faults->flags |= VMS_GROUP_FAIL_LOADER;
		return VMSI_EXIT_OK;
	default:
		return vmsi_usage_hint(program);
	}
}

static enum vmsi_exit take_whom(struct vmsi_supervise_options *options,
				const char *text)
{
	/* In the order of enum vmsi_whom. */
	static const char *const words[] = { "first", "all", "largest", NULL };
	int whom;
	enum vmsi_exit result = take_word(options->program, text, words, &whom);

	if (result == VMSI_EXIT_OK)
		options->warn.whom = (enum vmsi_whom)whom;
	return result;
}

static enum vmsi_exit take_warning(struct vmsi_supervise_options *options,
				   int option, const char *argument)
{
	struct vmsi_warn_options *warn = &options->warn;
	const char *program = options->program;

	switch (option) {
	case VMSI_OPTION_WARN_AT:
		return vmsi_warn_take_threshold(program, argument,
						&warn->at[VMSI_STAGE_WARN]);
	case VMSI_OPTION_GRACE:
		return vmsi_warn_take_threshold(program, argument,
						&warn->at[VMSI_STAGE_GRACE]);
	case VMSI_OPTION_SIGNAL:
		warn->needs_threshold = "--signal";
		return vmsi_warn_take_signal(program, argument,
					     &warn->signals[VMSI_STAGE_WARN]);
	case VMSI_OPTION_GRACE_SIGNAL:
		warn->needs_threshold = "--grace-signal";
		return vmsi_warn_take_signal(program, argument,
					     &warn->signals[VMSI_STAGE_GRACE]);
	case VMSI_OPTION_WARN_WHOM:
		warn->needs_threshold = "--warn-whom";
		return take_whom(options, argument);
	case VMSI_OPTION_ON_WARN:
		warn->needs_threshold = "--on-warn";
		warn->command = argument;
		return VMSI_EXIT_OK;
	default:
		return take_fault(options, option, argument);
	}
}

/* Take an option about groups that run. Returns whether it was one. */
static bool take_live(struct vmsi_supervise_options *options, int option,
		      const char *argument)
{
	switch (option) {
	case VMSI_OPTION_JSON:
		options->json = true;
		return true;
	case VMSI_OPTION_FOLLOW:
		options->follow = true;
		return true;
	case VMSI_OPTION_CGROUP:
		options->cgroup = argument;
		return true;
	case VMSI_OPTION_SET:
		options->set = argument;
		return true;
	default:
		return false;
	}
}

/* A name is to be told from others in one column. */
static enum vmsi_exit take_name(struct vmsi_supervise_options *options,
				const char *text)
{
	options->name = text;
	if (*text && strlen(text) <= VMSI_CONTROL_NAME_MAX)
		return VMSI_EXIT_OK;
	return vmsi_usage_error(options->program, "a name has 1 to %d bytes",
				VMSI_CONTROL_NAME_MAX);
}

static enum vmsi_exit take_backend(struct vmsi_supervise_options *options,
				   const char *text)
{
	static const char *const words[] = { "supervisor", "bpf", NULL };
	enum vmsi_exit result;
	int word;

	if (strcmp(text, "rlimit") == 0)
		return vmsi_usage_error(options->program, "'ulimit -d' limits each "
					"process by itself");
	result = take_word(options->program, text, words, &word);
	options->by_kernel = result == VMSI_EXIT_OK && word == 1;
	return result;
}

static enum vmsi_exit take_option(struct vmsi_supervise_options *options,
				  int option, const char *argument)
{
	if (take_live(options, option, argument))
		return VMSI_EXIT_OK;
	if (option == VMSI_OPTION_BACKEND)
		return take_backend(options, argument);
	if (option == VMSI_OPTION_BYTES) {
		vmsi_tell_bytes();
		return VMSI_EXIT_OK;
	}
	options->has_run_option = true;
	switch (option) {
	case VMSI_OPTION_POLICY:
		options->has_policy = true;
		return take_policy(options, argument);
	case VMSI_OPTION_FORK:
		return take_flag(options, argument, VMS_GROUP_FORK_FREE);
	case VMSI_OPTION_NORESERVE:
		options->has_policy = true;
		return take_flag(options, argument, VMS_GROUP_NORESERVE_FREE);
	case VMSI_OPTION_REPORT:
		return vmsi_report_take(options->program, "--report", argument,
					&options->report);
	case VMSI_OPTION_LOG:
		options->log = true;
		return VMSI_EXIT_OK;
	case VMSI_OPTION_QUIET:
		options->quiet = true;
		return VMSI_EXIT_OK;
	case VMSI_OPTION_EXPLAIN:
		options->explain = true;
		return VMSI_EXIT_OK;
	case VMSI_OPTION_NAME:
		return take_name(options, argument);
	case VMSI_OPTION_LIMIT:
		return vmsi_supervise_take_limit(options, argument);
	default:
		return take_warning(options, option, argument);
	}
}

enum vmsi_exit
vmsi_supervise_take_options(struct vmsi_supervise_options *options, int argc,
			    char **argv, const struct vmsi_command *command)
{
	enum vmsi_exit result = VMSI_EXIT_OK;
	int option;

	while (result == VMSI_EXIT_OK &&
	       (option = vmsi_next_option(command, argc, argv)) != -1) {
		if (option == '?')
			return vmsi_option_hint(argv[0], argv[optind - 1]);
		options->is_done = option == 'h';
		if (option == 'h')
			return vmsi_show_help(command, optarg);
		result = take_option(options, option, optarg);
	}
	return result;
}

enum vmsi_exit vmsi_supervise_take_limit(struct vmsi_supervise_options *options,
					 const char *text)
{
	options->limit_text = text;
	if (vmsi_limit_source_parse(text, &options->source)) {
		options->group.commit_limit =
			vmsi_limit_source_bytes(&options->source);
		return VMSI_EXIT_OK;
	}
	return take_size(options->program, text, &options->group.commit_limit);
}

/*
 * The C library and its loader need memory before main: with glibc, static or
 * not, no program starts in less than some 40 pages. A smaller limit than this
 * was most likely meant with a unit.
 */
#define PAGES_TO_START 16

static enum vmsi_exit
check_limit(const struct vmsi_supervise_options *options)
{
	const size_t limit = options->group.commit_limit;
	const char *program = options->program, *text = options->limit_text;

	if (limit == 0)
		return vmsi_usage_error(program, "a limit of 0 bytes lets "
					"nothing start");
	/* The other policies do not compare the sum with the limit. */
	if (options->group.policy != VMS_COMMIT_STRICT ||
	    limit >= PAGES_TO_START * (size_t)sysconf(_SC_PAGESIZE))
		return VMSI_EXIT_OK;
	if (vmsi_size_lacks_unit(text))
		return vmsi_usage_error(program, "no program starts in %s "
					"byte%s; did you mean %sM?", text,
					limit == 1 ? "" : "s", text);
	return vmsi_usage_error(program, "no program starts in %s", text);
}

enum vmsi_exit
vmsi_supervise_check(const struct vmsi_supervise_options *options)
{
	enum vmsi_exit result;

	if (options->limit_text) {
		result = check_limit(options);
		return result != VMSI_EXIT_OK ? result :
			vmsi_warn_check(&options->warn, options->program,
					options->group.commit_limit);
	}
	if (options->has_policy)
		return vmsi_usage_error(options->program, "--policy and "
					"--noreserve say how a limit is kept, "
					"and there is no --limit");
	return VMSI_EXIT_OK;
}
