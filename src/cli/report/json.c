/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>

#include "cli/report/json_text.h"
#include "cli/report/report.h"

/* The number that documents the form in vmspace-report(1). */
#define FORM 1

static void write_processes(FILE *stream, const struct vmsi_recording *recording)
{
	fputs(",\n\"processes\":[", stream);
	for (size_t i = 0; i < recording->process_count; i++) {
		const struct vmsi_recorded_process *process =
			&recording->processes[i];

		fprintf(stream, "%s{\"pid\":%d", i ? ",\n" : "\n",
			(int)process->pid);
		if (process->parent != VMSI_NOBODY)
			vmsi_json_write_number(stream, "parent", process->parent);
		vmsi_json_write_string(stream, "name", process->name);
		vmsi_json_write_number(stream, "begin", process->begin);
		vmsi_json_write_number(stream, "end", process->end);
		fprintf(stream, ",\"ended\":%s", process->is_ended ? "true" : "false");
		if (process->is_status_known)
			vmsi_json_write_number(stream, "status",
					       (uint32_t)process->status);
		fputc('}', stream);
	}
	fputs("]", stream);
}

static void write_owners(FILE *stream, const struct vmsi_recording *recording)
{
	fputs(",\n\"owners\":[", stream);
	for (size_t i = 0; i < recording->owner_count; i++) {
		const struct vmsi_recorded_owner *owner = &recording->owners[i];

		fprintf(stream, "%s{\"process\":%" PRIu32, i ? ",\n" : "\n",
			owner->process);
		vmsi_json_write_string(stream, "kind",
				       vmsi_owner_kinds[owner->kind]);
		vmsi_json_write_string(stream, "name", owner->name);
		fputc('}', stream);
	}
	fputs("]", stream);
}

static void write_stacks(FILE *stream, const struct vmsi_recording *recording)
{
	fputs(",\n\"stacks\":[", stream);
	for (size_t i = 0; i < recording->stack_count; i++) {
		fputs(i ? ",\n" : "\n", stream);
		vmsi_json_write_stack(stream, &recording->stacks[i]);
	}
	fputs("]", stream);
}

/* Addresses are strings, as JSON of others has them: not all readers have 64 bits. */
static void write_place(FILE *stream, const struct vmsi_recorded_event *event)
{
	fprintf(stream, ",\"process\":%" PRIu32 ",\"start\":\"%" PRIxPTR
		"\",\"end\":\"%" PRIxPTR "\"", event->process, event->start,
		event->end);
}

static void write_mapping(FILE *stream, const struct vmsi_recorded_event *event)
{
	write_place(stream, event);
	fprintf(stream, ",\"owner\":%" PRIu32 ",\"rights\":\"%c%c%c%c\"",
		event->owner, event->prot & PROT_READ ? 'r' : '-',
		event->prot & PROT_WRITE ? 'w' : '-',
		event->prot & PROT_EXEC ? 'x' : '-',
		event->is_shared ? 's' : 'p');
	vmsi_json_write_number(stream, "commit", event->commit);
	if (!event->has_pages)
		return;
	vmsi_json_write_number(stream, "anonymous", event->anonymous);
	vmsi_json_write_number(stream, "file", event->file);
	vmsi_json_write_number(stream, "swapped", event->swapped);
}

static void write_call(FILE *stream, const struct vmsi_recorded_event *event)
{
	vmsi_json_write_string(stream, "call", event->call);
	if (event->process != VMSI_NOBODY)
		vmsi_json_write_number(stream, "process", event->process);
	vmsi_json_write_number(stream, "size", event->size);
	if (!event->error)
		vmsi_json_write_number(stream, "charged", event->commit);
	if (event->count > 1) {
		vmsi_json_write_number(stream, "calls", event->count);
		vmsi_json_write_number(stream, "first", event->first);
	}
	if (event->error)
		vmsi_json_write_string(stream, "error",
				       strerrorname_np(event->error) ?
				       strerrorname_np(event->error) : "?");
	if (event->stack != VMSI_NOBODY)
		vmsi_json_write_number(stream, "stack", event->stack);
}

static void write_event(FILE *stream, const struct vmsi_recorded_event *event)
{
	static const char *const words[VMSI_RECORDED_KINDS] = {
		"mapping", "unmapped", "call", "limit", "machine",
	};

	fprintf(stream, "{\"time\":%" PRIu64 ",\"what\":\"%s\"", event->time,
		words[event->kind]);
	switch (event->kind) {
	case VMSI_RECORDED_MAPPING:
		write_mapping(stream, event);
		break;
	case VMSI_RECORDED_UNMAPPED:
		write_place(stream, event);
		break;
	case VMSI_RECORDED_CALL:
		write_call(stream, event);
		break;
	case VMSI_RECORDED_MACHINE:
		vmsi_json_write_number(stream, "available", event->file);
		vmsi_json_write_number(stream, "limit", event->size);
		vmsi_json_write_number(stream, "commit", event->commit);
		break;
	default:
		vmsi_json_write_number(stream, "limit", event->size);
		vmsi_json_write_number(stream, "commit", event->commit);
		break;
	}
	fputc('}', stream);
}

/*
 * Of a part of a recording all events up to its end are written, for what there is
 * where it begins is told by those before.
 */
int vmsi_report_json(FILE *stream, const struct vmsi_report_view *view)
{
	const struct vmsi_recording *recording = view->recording;

	fprintf(stream, "{\"version\":%d", FORM);
	vmsi_json_write_string(stream, "program", recording->program);
	vmsi_json_write_string(stream, "machine", recording->machine);
	vmsi_json_write_number(stream, "began", recording->began);
	vmsi_json_write_number(stream, "length", recording->length);
	vmsi_json_write_number(stream, "page_size", recording->page_size);
	fprintf(stream, ",\"cut\":%s", recording->is_cut ? "true" : "false");
	vmsi_json_write_number(stream, "from", view->from);
	vmsi_json_write_number(stream, "to", view->to);
	write_processes(stream, recording);
	write_owners(stream, recording);
	write_stacks(stream, recording);
	fputs(",\n\"events\":[", stream);
	for (size_t i = 0; i < recording->event_count && !ferror(stream) &&
	     recording->events[i].time <= view->to; i++) {
		fputs(i ? ",\n" : "\n", stream);
		write_event(stream, &recording->events[i]);
	}
	fputs("]}\n", stream);
	return 0;
}
