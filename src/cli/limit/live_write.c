/* SPDX-License-Identifier: MIT */
#include "cli/limit/live.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/output/json.h"
#include "cli/output/size.h"
#include "cli/output/text.h"

/* The groups that run, as text and as JSON. */

struct age_text {
	char text[32];
};

/* "42s", "5m03s", "2h05m", "3d04h" */
static struct age_text age_text(uint64_t nanoseconds)
{
	const unsigned long long seconds = nanoseconds / 1000000000;
	struct age_text age;

	if (seconds < 60)
		snprintf(age.text, sizeof age.text, "%llus", seconds);
	else if (seconds < 3600)
		snprintf(age.text, sizeof age.text, "%llum%02llus",
			 seconds / 60, seconds % 60);
	else if (seconds < 86400)
		snprintf(age.text, sizeof age.text, "%lluh%02llum",
			 seconds / 3600, seconds / 60 % 60);
	else
		snprintf(age.text, sizeof age.text, "%llud%02lluh",
			 seconds / 86400, seconds / 3600 % 24);
	return age;
}

struct vmsi_limit_source_text
vmsi_live_source(const struct vmsi_control_figures *figures)
{
	const struct vmsi_limit_source source = { figures->source.kind,
		figures->source.parts };

	return vmsi_limit_source_text(&source);
}

/* --- text ----------------------------------------------------------------------- */

static void write_unanswered(const struct vmsi_live_group *group)
{
	const int width = vmsi_told_width(8);

	printf("%8s %*s %*s %*s %8s %9s %7s ", "?", width, "?", width, "?",
	       width, "?", "?", "?", "?");
	if (group->has_user)
		printf("%6u  (supervisor %d does not answer)\n",
		       (unsigned)group->user, (int)group->supervisor);
	else
		printf("%6s  (nobody answers; of whom it is cannot be told)\n",
		       "?");
}

static void write_row(const struct vmsi_live_group *group)
{
	const struct vmsi_control_figures *figures = &group->figures;
	const int width = vmsi_told_width(8);

	if (!group->answers) {
		write_unanswered(group);
		return;
	}
	printf("%8d %*s %*s %*s %8llu %9u %7s %6u  ", (int)figures->first,
	       width, vmsi_told_size(figures->limit).text,
	       width, vmsi_told_size(figures->committed).text,
	       width, vmsi_told_size(figures->peak).text,
	       (unsigned long long)figures->refusals, figures->processes,
	       age_text(figures->age).text, (unsigned)group->user);
	vmsi_write_escaped(stdout, figures->name);
	putchar('\n');
}

void vmsi_live_write_text(const struct vmsi_live_groups *groups,
			  const struct vmsi_kernel_limits *limits)
{
	const int width = vmsi_told_width(8);

	vmsi_by_kernel_write_text(limits);
	if (groups->count == 0) {
		if (limits->count == 0)
			puts("No group runs under a limit.");
		return;
	}
	printf("%8s %*s %*s %*s %8s %9s %7s %6s  %s\n", "PID", width, "LIMIT",
	       width, "IN USE", width, "PEAK", "REFUSED", "PROCESSES", "AGE",
	       "UID", "NAME");
	for (size_t i = 0; i < groups->count; i++)
		write_row(&groups->list[i]);
}

static void write_change_text(const struct vmsi_control_figures *figures)
{
	printf("%9.3f s  %s of %s in use, peak %s, %llu refused, %u "
	       "process%s%s\n", (double)figures->age / 1e9,
	       vmsi_told_size(figures->committed).text,
	       vmsi_told_size(figures->limit).text,
	       vmsi_told_size(figures->peak).text,
	       (unsigned long long)figures->refusals, figures->processes,
	       figures->processes == 1 ? "" : "es",
	       figures->state == VMSI_CONTROL_EMPTY ? "; all have ended" :
	       figures->state == VMSI_CONTROL_FIRST_ENDED ?
	       "; the first has ended" : "");
}

/* --- JSON ------------------------------------------------------------------------ */

static json_t *figures_json(const struct vmsi_control_figures *figures)
{
	static const char *const states[] = { "runs", "first ended", "ended" };
	const bool has_ended = figures->state != VMSI_CONTROL_RUNS;
	const struct vmsi_limit_source_text source = vmsi_live_source(figures);

	return json_pack("{s:o,s:i,s:o,s:o,s:o,s:o,s:o,s:i,s:f,s:s,s:o,s:o}",
		"name", vmsi_json_text(figures->name),
		"pid", (int)figures->first,
		"limit", vmsi_json_amount(figures->limit),
		"limit_is", *source.text ? json_string(source.text) : json_null(),
		"committed", vmsi_json_amount(figures->committed),
		"peak", vmsi_json_amount(figures->peak),
		"refused", vmsi_json_amount(figures->refusals),
		"processes", (int)figures->processes,
		"seconds", (double)figures->age / 1e9,
		"state", figures->state <= VMSI_CONTROL_EMPTY ?
			states[figures->state] : "?",
		"exit_status", has_ended ?
			vmsi_json_exit_status(figures->status) : json_null(),
		"signal", has_ended ?
			vmsi_json_signal(figures->status) : json_null());
}

/* A supervisor that does not answer has no figures, and one without room no user. */
static json_t *group_json(const struct vmsi_live_group *group)
{
	json_t *value = group->answers ? figures_json(&group->figures) :
		json_object();
	int failed = json_object_set_new(value, "answers",
					 json_boolean(group->answers));

	failed |= json_object_set_new(value, "uid", group->has_user ?
				      vmsi_json_amount(group->user) :
				      json_null());
	failed |= json_object_set_new(value, "supervisor", group->has_user ?
				      json_integer(group->supervisor) :
				      json_null());
	return vmsi_json_complete(value, failed);
}

int vmsi_live_write_json(const struct vmsi_live_groups *groups,
			 const struct vmsi_kernel_limits *limits)
{
	json_t *list = json_array();
	int failed = 0;

	for (size_t i = 0; i < groups->count; i++)
		failed |= json_array_append_new(list,
						group_json(&groups->list[i]));
	failed |= vmsi_by_kernel_append_json(limits, list);
	return vmsi_json_print(vmsi_json_complete(list, failed));
}

int vmsi_live_write_change(const struct vmsi_control_figures *figures,
			   enum vmsi_live_form form)
{
	json_t *value;
	int failed;

	if (form == VMSI_LIVE_TEXT) {
		write_change_text(figures);
		return 0;
	}
	value = figures_json(figures);
	failed = !value || json_dumpf(value, stdout, JSON_COMPACT);
	json_decref(value);
	putchar('\n');
	return failed ? -ENOMEM : 0;
}
