/* SPDX-License-Identifier: MIT */
#include "cli/supervise/snapshot.h"

#include <stdlib.h>
#include <string.h>

/* The report as JSON. */

static json_t *frames_of(const char *backtrace)
{
	json_t *frames = json_array();

	while (backtrace && *backtrace) {
		size_t length = strcspn(backtrace, "\n");
		char *frame = strndup(backtrace, length);

		if (frame)
			json_array_append_new(frames, vmsi_json_text(frame));
		free(frame);
		backtrace += length;
		backtrace += *backtrace == '\n';
	}
	return frames;
}

static json_t *largest_json(const struct vmsi_largest *largest)
{
	json_t *list = json_array();

	for (size_t i = 0; i < largest->count; i++)
		json_array_append_new(list, json_pack("{s:i,s:o,s:o}",
			"pid", (int)largest->list[i].pid,
			"command", vmsi_json_text(largest->list[i].command),
			"committed",
			vmsi_json_amount(largest->list[i].committed)));
	return list;
}

/* null stands for no limit. */
static json_t *limit_json(size_t limit, enum vmsi_limited limited)
{
	return limited == VMSI_LIMITED ? vmsi_json_amount(limit) : json_null();
}

static json_t *refusal_json(const struct vmsi_refusal *refusal,
			    enum vmsi_limited limited)
{
	const struct vms_group_refusal *told = &refusal->told;

	return json_pack("{s:f,s:i,s:i,s:o,s:s,s:o,s:o,s:o,s:b,s:b,s:o,s:o,s:o}",
		"seconds", (double)told->time / 1e9,
		"pid", (int)told->process,
		"thread", (int)told->thread,
		"command", vmsi_json_text(told->command),
		"call", vmsi_call_name(told->call),
		"requested", vmsi_json_amount(told->requested),
		"committed", vmsi_json_amount(told->committed),
		"limit", limit_json(told->limit, limited),
		"injected", told->injected,
		"unaccounted", told->unaccounted,
		"request", vmsi_json_amount(told->request),
		"in_use_by", largest_json(&refusal->largest),
		"backtrace", frames_of(told->backtrace));
}

static json_t *refusals_json(const struct vmsi_snapshot *snapshot)
{
	json_t *list = json_array();

	for (size_t i = 0; i < snapshot->refusal_count; i++)
		json_array_append_new(list,
			refusal_json(&snapshot->refusals[i], snapshot->limited));
	return list;
}

static json_t *processes_json(const struct vmsi_snapshot *snapshot)
{
	json_t *list = json_array();

	for (size_t i = 0; i < snapshot->process_count; i++) {
		const struct vms_group_process *process =
			&snapshot->processes[i];

		json_array_append_new(list, json_pack("{s:i,s:o,s:o,s:o,s:b}",
			"pid", (int)process->pid,
			"command", vmsi_json_text(process->command),
			"peak", vmsi_json_amount(process->peak),
			"refusals", vmsi_json_amount(process->refusals),
			"ended", process->ended));
	}
	return list;
}

static json_t *arguments_json(char **arguments)
{
	json_t *list = json_array();

	for (; *arguments; arguments++)
		json_array_append_new(list, **arguments ?
			vmsi_json_text(*arguments) : json_string(""));
	return list;
}

json_t *vmsi_snapshot_json(const struct vmsi_snapshot *snapshot)
{
	const struct vms_group_stats *stats = &snapshot->stats;

	return json_pack(
		"{s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o}",
		"command", arguments_json(snapshot->arguments),
		"limit", limit_json(stats->limit, snapshot->limited),
		"peak", vmsi_json_amount(stats->peak),
		"unrefusable", vmsi_json_amount(snapshot->unrefusable),
		"requests", vmsi_json_amount(stats->requests),
		"calls", vmsi_json_amount(stats->calls),
		"refused", vmsi_json_amount(stats->refusals),
		"granted_again", vmsi_json_amount(stats->granted_again),
		"injected", vmsi_json_amount(stats->injected),
		"unaccounted", vmsi_json_amount(stats->unaccounted),
		"interruptible", vmsi_json_amount(stats->interruptible),
		"exit_status", vmsi_json_exit_status(snapshot->status),
		"signal", vmsi_json_signal(snapshot->status),
		"refusals", refusals_json(snapshot),
		"processes", processes_json(snapshot));
}
