/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <string.h>

#include "cli/recording/replay.h"
#include "cli/report/json_text.h"
#include "cli/report/report.h"

/*
 * The JSON trace event format: an array of objects, each with a phase. 'M' names a
 * process, 'X' is a time that something took, 'C' a counter, 'i' an instant.
 */

struct writer {
	FILE *stream;
	const struct vmsi_report_view *view;
	bool is_first;
};

static void begin(struct writer *writer, char phase, int pid, uint64_t time,
		  const char *name)
{
	fprintf(writer->stream, "%s{\"ph\":\"%c\",\"pid\":%d,\"ts\":%" PRIu64
		",\"name\":", writer->is_first ? "\n" : ",\n", phase, pid, time);
	vmsi_json_write_text(writer->stream, name);
	writer->is_first = false;
}

static uint64_t within(const struct vmsi_report_view *view, uint64_t time)
{
	return time < view->from ? view->from : time > view->to ? view->to : time;
}

static void name_process(struct writer *writer, int pid, const char *name)
{
	begin(writer, 'M', pid, 0, "process_name");
	fputs(",\"args\":{\"name\":", writer->stream);
	vmsi_json_write_text(writer->stream, name);
	fputs("}}", writer->stream);
}

/* A life of a process is a slice in the track of its number. */
static void write_process(struct writer *writer,
			  const struct vmsi_recorded_process *process)
{
	const uint64_t begins = within(writer->view, process->begin);
	const uint64_t ends = within(writer->view, process->end);

	if (process->end < writer->view->from || process->begin > writer->view->to)
		return;
	name_process(writer, (int)process->pid, process->name);
	begin(writer, 'X', (int)process->pid, begins,
	      *process->name ? process->name : "?");
	fprintf(writer->stream, ",\"tid\":%d,\"dur\":%" PRIu64
		",\"cat\":\"process\"}", (int)process->pid, ends - begins);
}

static void write_sum(struct writer *writer, const struct vmsi_replay *replay,
		      uint32_t number, uint64_t time)
{
	const struct vmsi_recording *recording = writer->view->recording;
	const struct vmsi_recorded_owner *owner = &recording->owners[number];
	const struct vmsi_recorded_sum *sum = &replay->sums[number];

	begin(writer, 'C', (int)recording->processes[owner->process].pid, time,
	      owner->name);
	fprintf(writer->stream, ",\"args\":{\"anonymous\":%" PRIu64
		",\"file\":%" PRIu64 ",\"swapped\":%" PRIu64
		",\"commit\":%" PRIu64 "}}", sum->anonymous, sum->file,
		sum->swapped, sum->commit);
}

static void write_call(struct writer *writer,
		       const struct vmsi_recorded_event *event)
{
	const struct vmsi_recording *recording = writer->view->recording;
	const int pid = event->process == VMSI_NOBODY ?
		0 : (int)recording->processes[event->process].pid;
	const char *error = event->error ? strerrorname_np(event->error) : NULL;

	begin(writer, 'i', pid, event->time, event->call);
	fprintf(writer->stream, ",\"tid\":%d,\"s\":\"%c\",\"cat\":\"%s\","
		"\"args\":{\"size\":%" PRIu64, pid,
		event->process == VMSI_NOBODY ? 'g' : 'p',
		event->error ? "refused" : "granted", event->size);
	if (!event->error)
		vmsi_json_write_number(writer->stream, "charged", event->commit);
	if (event->count > 1) {
		vmsi_json_write_number(writer->stream, "calls", event->count);
		vmsi_json_write_number(writer->stream, "first", event->first);
	}
	if (event->error)
		vmsi_json_write_string(writer->stream, "error",
				       error ? error : "?");
	if (event->stack != VMSI_NOBODY) {
		fputs(",\"stack\":", writer->stream);
		vmsi_json_write_stack(writer->stream,
				      &recording->stacks[event->stack]);
	}
	fputs("}}", writer->stream);
}

static void write_event(struct writer *writer,
			const struct vmsi_recorded_event *event)
{
	if (event->kind == VMSI_RECORDED_CALL)
		write_call(writer, event);
	if (event->kind == VMSI_RECORDED_LIMIT ||
	    event->kind == VMSI_RECORDED_MACHINE) {
		begin(writer, 'C', 0, event->time,
		      event->kind == VMSI_RECORDED_LIMIT ? "limit" : "machine");
		fprintf(writer->stream, ",\"args\":{\"commit\":%" PRIu64,
			event->commit);
		if (event->size)
			fprintf(writer->stream, ",\"limit\":%" PRIu64,
				event->size);
		if (event->kind == VMSI_RECORDED_MACHINE)
			fprintf(writer->stream, ",\"available\":%" PRIu64,
				event->file);
		fputs("}}", writer->stream);
	}
}

static void write_moment(struct writer *writer, const struct vmsi_replay *replay,
			 size_t first, uint64_t time)
{
	for (size_t i = first; i < replay->next; i++)
		write_event(writer, &writer->view->recording->events[i]);
	for (size_t i = 0; i < replay->changed_count; i++)
		write_sum(writer, replay, replay->changed[i], time);
}

static int write_moments(struct writer *writer, struct vmsi_replay *replay)
{
	const struct vmsi_report_view *view = writer->view;
	const struct vmsi_recording *recording = view->recording;
	int result = view->from > 0 ? vmsi_replay_to(replay, view->from) : 0;
	uint64_t time;

	for (uint32_t i = 0; !result && i < recording->owner_count; i++)
		if (replay->sums[i].mappings)
			write_sum(writer, replay, i, view->from);
	while (!result && !ferror(writer->stream) &&
	       replay->next < recording->event_count &&
	       recording->events[replay->next].time <= view->to) {
		const size_t first = replay->next;

		result = vmsi_replay_moment(replay, &time);
		if (result > 0)
			write_moment(writer, replay, first, time);
		result = result < 0 ? result : 0;
	}
	return result;
}

int vmsi_report_perfetto(FILE *stream, const struct vmsi_report_view *view)
{
	const struct vmsi_recording *recording = view->recording;
	struct writer writer = { .stream = stream, .view = view, .is_first = true };
	struct vmsi_replay replay;
	int error = vmsi_replay_open(&replay, recording);

	if (error)
		return error;
	fputs("{\"displayTimeUnit\":\"ms\",\"otherData\":{\"program\":", stream);
	vmsi_json_write_text(stream, recording->program);
	vmsi_json_write_string(stream, "machine", recording->machine);
	fputs("},\"traceEvents\":[", stream);
	/* What belongs to no process has number 0. */
	name_process(&writer, 0, "machine");
	for (size_t i = 0; i < recording->process_count; i++)
		write_process(&writer, &recording->processes[i]);
	error = write_moments(&writer, &replay);
	fputs("]}\n", stream);
	vmsi_replay_close(&replay);
	return error;
}
