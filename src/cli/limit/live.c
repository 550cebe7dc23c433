/* SPDX-License-Identifier: MIT */
#include "cli/limit/live.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/output/size.h"
#include "cli/output/text.h"
#include "text/number.h"

/* What is done with groups that run. */

/* The supervisor answers between two requests of its group. */
#define ANSWER_MS 10000

static enum vmsi_exit fail(const struct vmsi_live_request *request,
			   const char *what, int error)
{
	fprintf(stderr, "%s: %s: %s\n", request->program, what,
		strerror(-error));
	return VMSI_EXIT_FAILED;
}

/* --- finding one ------------------------------------------------------------------ */

static bool is_meant(const struct vmsi_live_group *group, const char *text)
{
	int number;

	if (!group->answers)
		return false;
	return !text || strcmp(group->figures.name, text) == 0 ||
		(vmsi_parse_int(text, &number) &&
		 number == group->figures.first);
}

/* Without a name the only one is meant. */
static enum vmsi_exit complain(const struct vmsi_live_request *request,
			       const struct vmsi_live_groups *groups,
			       size_t meant)
{
	const char *separator = " ";

	if (meant == 0 && !request->group) {
		fprintf(stderr, "%s: no group runs under a limit\n",
			request->program);
		return VMSI_EXIT_FAILED;
	}
	if (meant == 0) {
		fprintf(stderr, "%s: no group '", request->program);
		vmsi_write_escaped(stderr, request->group);
		fputs("' runs under a limit\n", stderr);
		return VMSI_EXIT_FAILED;
	}
	fprintf(stderr, "%s: several groups are meant; name one by its "
		"PID:", request->program);
	for (size_t i = 0; i < groups->count; i++) {
		if (!is_meant(&groups->list[i], request->group))
			continue;
		fprintf(stderr, "%s%d (", separator,
			(int)groups->list[i].figures.first);
		vmsi_write_escaped(stderr, groups->list[i].figures.name);
		fputc(')', stderr);
		separator = ", ";
	}
	fputc('\n', stderr);
	return VMSI_EXIT_FAILED;
}

/* Find the group that is meant; an error was written where it is not one. */
static enum vmsi_exit find_one(const struct vmsi_live_request *request,
			       struct vmsi_live_group *found)
{
	struct vmsi_live_groups groups = { .list = NULL };
	const int error = vmsi_live_find(&groups);
	enum vmsi_exit result = VMSI_EXIT_OK;
	size_t meant = 0;

	for (size_t i = 0; !error && i < groups.count; i++)
		if (is_meant(&groups.list[i], request->group)) {
			*found = groups.list[i];
			meant++;
		}
	if (error)
		result = fail(request, "looking for groups", error);
	else if (meant != 1)
		result = complain(request, &groups, meant);
	vmsi_live_free(&groups);
	return result;
}

/* --- what is done ------------------------------------------------------------------ */

enum vmsi_exit vmsi_live_list(const struct vmsi_live_request *request)
{
	struct vmsi_live_groups groups = { .list = NULL };
	struct vmsi_kernel_limits limits;
	const enum vmsi_exit found = vmsi_by_kernel_find(request->program, &limits);
	int error = vmsi_live_find(&groups);
	enum vmsi_exit result;

	if (!error && request->form == VMSI_LIVE_JSON)
		error = vmsi_live_write_json(&groups, &limits);
	else if (!error)
		vmsi_live_write_text(&groups, &limits);
	result = error ? fail(request, "listing groups", error) :
		vmsi_finish_output(request->program);
	if (result == VMSI_EXIT_OK)
		result = found;
	vmsi_live_free(&groups);
	return result;
}

/* "build[4711]: 1G (cgroup:90%) instead of 64M; 80M in use" */
static void write_set(const struct vmsi_control_figures *before,
		      const struct vmsi_control_figures *after)
{
	const struct vmsi_limit_source_text source = vmsi_live_source(after);

	vmsi_write_escaped(stdout, after->name);
	printf("[%d]: %s", (int)after->first,
	       vmsi_told_size(after->limit).text);
	if (*source.text)
		printf(" (%s)", source.text);
	printf(" instead of %s; %s in use",
	       vmsi_told_size(before->limit).text,
	       vmsi_told_size(after->committed).text);
	if (after->committed > after->limit)
		fputs(" stay, and what is asked for is refused", stdout);
	putchar('\n');
}

static bool is_limit(const char *text)
{
	struct vmsi_limit_source source;
	size_t bytes;

	return vmsi_limit_source_parse(text, &source) ||
		vmsi_parse_size(text, VMSI_SIZE_FRACTION, &bytes);
}

static bool is_running(const char *name)
{
	struct vmsi_live_groups groups = { .list = NULL };
	bool is_one = false;

	if (vmsi_live_find(&groups) == 0)
		for (size_t i = 0; i < groups.count && !is_one; i++)
			is_one = is_meant(&groups.list[i], name);
	vmsi_live_free(&groups);
	return is_one;
}

/*
 * Whether the words stand as in "--set NAME SIZE". A name may look like a size, the number
 * of a process does: then the one that runs is meant.
 */
static bool is_name_first(const char *first, const char *second)
{
	if (!second || !is_limit(second))
		return false;
	return !is_limit(first) || (!is_running(second) && is_running(first));
}

static enum vmsi_exit take_limit(const struct vmsi_live_request *request,
				 const char *text,
				 struct vmsi_control_request *set)
{
	struct vmsi_limit_source source;
	size_t bytes = 0;

	if (!vmsi_limit_source_parse(text, &source) &&
	    !vmsi_parse_size(text, VMSI_SIZE_FRACTION, &bytes))
		return vmsi_usage_error(request->program, "'%s' is not a size; "
					"say --set=SIZE NAME", text);
	if (source.kind == VMSI_LIMIT_SIZE && bytes == 0)
		return vmsi_usage_error(request->program, "a limit of 0 bytes "
					"is none; did you mean 1?");
	set->limit = bytes;
	set->source.kind = source.kind;
	set->source.parts = source.parts;
	return VMSI_EXIT_OK;
}

static enum vmsi_exit tell_set(const struct vmsi_live_request *request,
			       const struct vmsi_control_figures *before,
			       const struct vmsi_control_figures *after)
{
	int error = 0;

	if (after->source.is_machines)
		fprintf(stderr, "%s: no control group limits the memory there; "
			"the limit is the machine's\n", request->program);
	if (request->form == VMSI_LIVE_JSON)
		error = vmsi_live_write_change(after, VMSI_LIVE_JSON);
	else
		write_set(before, after);
	return error ? fail(request, "writing", error) :
		       vmsi_finish_output(request->program);
}

/* A group of a supervisor whose name is such a path is asked by its number. */
static bool is_cgroup(const char *group)
{
	return group && *group == '/';
}

static enum vmsi_exit set_one(const struct vmsi_live_request *request,
			      const char *text)
{
	struct vmsi_control_request set = { .what = VMSI_CONTROL_SET };
	struct vmsi_control_figures after;
	struct vmsi_live_group group;
	enum vmsi_exit result;
	int end, got;

	if (is_cgroup(request->group))
		return vmsi_live_set_cgroup(request, text);
	result = take_limit(request, text, &set);
	if (result == VMSI_EXIT_OK)
		result = find_one(request, &group);
	if (result != VMSI_EXIT_OK)
		return result;
	end = vmsi_live_ask(&group, &set);
	if (end < 0)
		return fail(request, "setting the limit", end);
	got = vmsi_live_receive(end, &after, ANSWER_MS);
	close(end);
	if (got <= 0)
		return fail(request, "setting the limit", got ? got : -ESRCH);
	if (after.error)
		return fail(request, "setting the limit", -(int)after.error);
	return tell_set(request, &group.figures, &after);
}

enum vmsi_exit vmsi_live_set(const struct vmsi_live_request *request,
			     const char *text)
{
	struct vmsi_live_request swapped = *request;

	if (!is_name_first(text, request->group))
		return set_one(request, text);
	swapped.group = text;
	return set_one(&swapped, request->group);
}

static enum vmsi_exit follow(const struct vmsi_live_request *request, int end)
{
	struct vmsi_control_figures figures = { .state = VMSI_CONTROL_RUNS };
	enum vmsi_exit result = VMSI_EXIT_OK;

	while (result == VMSI_EXIT_OK && figures.state != VMSI_CONTROL_EMPTY) {
		int got = vmsi_live_receive(end, &figures, -1);

		if (got == 0) {
			fprintf(stderr, "%s: the supervisor has ended\n",
				request->program);
			return VMSI_EXIT_FAILED;
		}
		if (got == 1)
			got = vmsi_live_write_change(&figures, request->form);
		if (got < 0)
			return fail(request, "following", got);
		result = vmsi_finish_output(request->program);
	}
	return result;
}

enum vmsi_exit vmsi_live_follow(const struct vmsi_live_request *request)
{
	const struct vmsi_control_request ask = { .what = VMSI_CONTROL_FOLLOW };
	struct vmsi_live_group group;
	enum vmsi_exit result;
	int end;

	if (is_cgroup(request->group))
		return vmsi_live_follow_cgroup(request);
	result = find_one(request, &group);
	if (result != VMSI_EXIT_OK)
		return result;
	end = vmsi_live_ask(&group, &ask);
	if (end < 0)
		return fail(request, "following", end);
	result = follow(request, end);
	close(end);
	return result;
}
