/* SPDX-License-Identifier: MIT */
#include "cli/limit/live.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/output/text.h"
#include "text/number.h"
#include "text/size.h"

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

/* "build[4711]: 1G instead of 64M; 80M are in use" */
static void write_set(const struct vmsi_control_figures *before,
		      const struct vmsi_control_figures *after)
{
	vmsi_write_escaped(stdout, after->name);
	printf("[%d]: %s instead of %s; %s in use", (int)after->first,
	       vmsi_size_text(after->limit, VMSI_SIZE_HUMAN).text,
	       vmsi_size_text(before->limit, VMSI_SIZE_HUMAN).text,
	       vmsi_size_text(after->committed, VMSI_SIZE_HUMAN).text);
	if (after->committed > after->limit)
		fputs(" stay, and what is asked for is refused", stdout);
	putchar('\n');
}

static enum vmsi_exit take_size(const struct vmsi_live_request *request,
				const char *text, size_t *bytes)
{
	if (!vmsi_parse_size(text, VMSI_SIZE_FRACTION, bytes))
		return vmsi_usage_error(request->program, "'%s' is not a size",
					text);
	if (*bytes == 0)
		return vmsi_usage_error(request->program, "a limit of 0 bytes "
					"is none; did you mean 1?");
	return VMSI_EXIT_OK;
}

enum vmsi_exit vmsi_live_set(const struct vmsi_live_request *request,
			     const char *text)
{
	struct vmsi_control_figures after;
	struct vmsi_live_group group;
	size_t bytes;
	enum vmsi_exit result = take_size(request, text, &bytes);
	int end, got;

	if (result == VMSI_EXIT_OK)
		result = find_one(request, &group);
	if (result != VMSI_EXIT_OK)
		return result;
	end = vmsi_live_ask(&group, VMSI_CONTROL_SET, bytes);
	if (end < 0)
		return fail(request, "setting the limit", end);
	got = vmsi_live_receive(end, &after, ANSWER_MS);
	close(end);
	if (got <= 0)
		return fail(request, "setting the limit", got ? got : -ESRCH);
	if (after.error)
		return fail(request, "setting the limit", -(int)after.error);
	if (request->form == VMSI_LIVE_JSON)
		got = vmsi_live_write_change(&after, VMSI_LIVE_JSON);
	else
		write_set(&group.figures, &after);
	return got < 0 ? fail(request, "writing", got) :
			 vmsi_finish_output(request->program);
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
	struct vmsi_live_group group;
	enum vmsi_exit result = find_one(request, &group);
	int end;

	if (result != VMSI_EXIT_OK)
		return result;
	end = vmsi_live_ask(&group, VMSI_CONTROL_FOLLOW, 0);
	if (end < 0)
		return fail(request, "following", end);
	result = follow(request, end);
	close(end);
	return result;
}
