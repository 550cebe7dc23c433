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

static json_t *holders_json(const struct vms_group_refusal *told)
{
	json_t *list = json_array();

	for (size_t i = 0; i < told->holder_count; i++)
		json_array_append_new(list, json_pack("{s:i,s:o,s:o}",
			"pid", (int)told->holders[i].pid,
			"command", vmsi_json_text(told->holders[i].command),
			"committed",
			vmsi_json_amount(told->holders[i].committed)));
	return list;
}

/* null stands for no limit. */
static json_t *limit_json(size_t limit, enum vmsi_limited limited)
{
	return limited == VMSI_LIMITED ? vmsi_json_amount(limit) : json_null();
}

static json_t *attempts_json(const struct vmsi_refusal *refusal)
{
	json_t *list = json_array();

	for (size_t i = 0; i < refusal->attempt_count; i++)
		json_array_append_new(list, json_string(
			vmsi_call_name(refusal->attempts[i])));
	return list;
}

/* Of a stack, which all its refusals share. */
static json_t *stack_frames(const json_t *stacks, size_t stack)
{
	json_t *frames = json_object_get(json_array_get(stacks, stack),
					 "backtrace");

	return frames ? json_incref(frames) : json_array();
}

/* null stands for a stack that was not kept. */
static json_t *refusal_json(const struct vmsi_refusal *refusal,
			    enum vmsi_limited limited, const json_t *stacks)
{
	const struct vms_group_refusal *told = &refusal->told;

	return json_pack("{s:f,s:i,s:i,s:o,s:s,s:o,s:o,s:o,s:o,s:b,s:b,s:o,s:o,"
			 "s:o,s:o}",
		"seconds", (double)told->time / 1e9,
		"pid", (int)told->process,
		"thread", (int)told->thread,
		"command", vmsi_json_text(told->command),
		"call", vmsi_call_name(told->call),
		"attempts", attempts_json(refusal),
		"requested", vmsi_json_amount(told->requested),
		"committed", vmsi_json_amount(told->committed),
		"limit", limit_json(told->limit, limited),
		"injected", told->injected,
		"unaccounted", told->unaccounted,
		"request", vmsi_json_amount(told->request),
		"in_use_by", holders_json(told),
		"stack", refusal->stack == SIZE_MAX ? json_null() :
			vmsi_json_amount(refusal->stack),
		"backtrace", stack_frames(stacks, refusal->stack));
}

static json_t *refusals_json(const struct vmsi_snapshot *snapshot,
			     const json_t *stacks)
{
	const struct vmsi_tally *tally = snapshot->tally;
	json_t *list = json_array();

	for (size_t i = 0; i < tally->kept; i++)
		json_array_append_new(list,
			refusal_json(&tally->refusals[i], snapshot->limited,
				     stacks));
	return list;
}

/* In the order in which they came, for refusals name them by their places. */
static json_t *stacks_json(const struct vmsi_snapshot *snapshot)
{
	const struct vmsi_tally *tally = snapshot->tally;
	json_t *list = json_array();

	for (size_t i = 0; i < tally->stack_count; i++) {
		const struct vmsi_tally_stack *stack = &tally->stacks[i];

		json_array_append_new(list, json_pack(
			"{s:o,s:o,s:o,s:s,s:o,s:o,s:f,s:f,s:o,s:o}",
			"refusals", vmsi_json_amount(stack->count),
			"attempts", vmsi_json_amount(stack->attempts),
			"command", vmsi_json_text(stack->first.command),
			"call", vmsi_call_name(stack->first.call),
			"requested_least", vmsi_json_amount(stack->least),
			"requested_most", vmsi_json_amount(stack->most),
			"first_seconds", (double)stack->first.time / 1e9,
			"last_seconds", (double)stack->last_time / 1e9,
			"backtrace", frames_of(stack->backtrace),
			"why_no_backtrace", vmsi_json_text(stack->why ?
							   stack->why : "")));
	}
	return list;
}

static json_t *commands_json(const struct vmsi_tally *tally)
{
	json_t *list = json_array();

	for (size_t i = 0; i < tally->command_count; i++)
		json_array_append_new(list, json_pack("{s:o,s:o,s:o}",
			"command", vmsi_json_text(tally->commands[i].command),
			"refusals", vmsi_json_amount(tally->commands[i].count),
			"processes",
			vmsi_json_amount(tally->commands[i].processes)));
	return list;
}

static json_t *processes_json(const struct vmsi_snapshot *snapshot)
{
	json_t *list = json_array();

	for (size_t i = 0; i < snapshot->process_count; i++) {
		const struct vms_group_process *process =
			&snapshot->processes[i];

		json_array_append_new(list, json_pack("{s:i,s:o,s:o,s:o,s:o,s:b}",
			"pid", (int)process->pid,
			"command", vmsi_json_text(process->command),
			"peak", vmsi_json_amount(process->committed_peak),
			"refusals", vmsi_json_amount(
				vmsi_tally_of(snapshot->tally, process->pid)),
			"attempts", vmsi_json_amount(process->refusals),
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

/* The thresholds that were given. */
static json_t *warnings_json(const struct vmsi_warning *warning)
{
	json_t *list = json_array();

	for (int i = 0; i < VMSI_STAGES; i++)
		if (warning->options->at[i].text)
			json_array_append_new(list, json_pack("{s:s,s:o,s:o}",
				"warning", vmsi_stage_word((enum vmsi_stage)i),
				"at", vmsi_json_text(
					warning->options->at[i].text),
				"count",
				vmsi_json_amount(warning->counts[i])));
	return list;
}

/* The number that documents the form in vmspace-limit(1); 1 had no number. */
#define REPORT_VERSION 2

json_t *vmsi_snapshot_json(const struct vmsi_snapshot *snapshot)
{
	const struct vms_group_stats *stats = &snapshot->stats;
	json_t *stacks = stacks_json(snapshot);

	vmsi_tally_sort_commands(snapshot->tally);
	return json_pack(
		"{s:i,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,"
		"s:o,s:o,s:o,s:o,s:o,s:o}",
		"version", REPORT_VERSION,
		"command", arguments_json(snapshot->arguments),
		"limit", limit_json(stats->limit, snapshot->limited),
		"peak", vmsi_json_amount(stats->committed_peak),
		"unrefusable", vmsi_json_amount(snapshot->unrefusable),
		"requests", vmsi_json_amount(stats->requests),
		"calls", vmsi_json_amount(stats->calls),
		"refused", vmsi_json_amount(snapshot->tally->count),
		"attempts", vmsi_json_amount(stats->refusals),
		"granted_again", vmsi_json_amount(stats->granted_again),
		"injected", vmsi_json_amount(stats->injected),
		"unaccounted", vmsi_json_amount(stats->unaccounted),
		"interruptible", vmsi_json_amount(stats->interruptible),
		"exit_status", vmsi_json_exit_status(snapshot->status),
		"signal", vmsi_json_signal(snapshot->status),
		"warnings", warnings_json(snapshot->warning),
		"refusals", refusals_json(snapshot, stacks),
		"stacks", stacks,
		"refusals_of_other_stacks",
		vmsi_json_amount(snapshot->tally->beyond),
		"programs", commands_json(snapshot->tally),
		"processes", processes_json(snapshot));
}
