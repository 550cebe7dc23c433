/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/output/text.h"
#include "cli/recording/replay.h"
#include "cli/report/report.h"

/*
 * Comma-separated values (RFC 4180): a row each time that what an owner has changes, or
 * something happens. What does not belong to a row is empty.
 */

static const char head[] =
	"time,what,pid,process,kind,owner,size,reserved,commit,anonymous,file,swapped,"
	"mappings,call,error,stack,calls\r\n";

static void write_text(FILE *stream, const char *text)
{
	char *copy = NULL;
	size_t length;
	FILE *memory = open_memstream(&copy, &length);

	fputc('"', stream);
	if (memory) {
		vmsi_write_escaped(memory, text);
		if (fclose(memory))
			length = 0;
		for (size_t i = 0; i < length; i++) {
			if (copy[i] == '"')
				fputc('"', stream);
			fputc(copy[i], stream);
		}
		free(copy);
	}
	fputc('"', stream);
}

static void begin_row(FILE *stream, uint64_t time, const char *what)
{
	fprintf(stream, "%" PRIu64 ".%06" PRIu64 ",%s,", time / 1000000,
		time % 1000000, what);
}

static void write_process(FILE *stream, const struct vmsi_recording *recording,
			  uint32_t number)
{
	if (number == VMSI_NOBODY) {
		fputs(",,", stream);
		return;
	}
	fprintf(stream, "%d,", (int)recording->processes[number].pid);
	write_text(stream, recording->processes[number].name);
	fputc(',', stream);
}

static void write_sum(FILE *stream, const struct vmsi_recording *recording,
		      const struct vmsi_replay *replay, uint32_t number,
		      uint64_t time)
{
	const struct vmsi_recorded_owner *owner = &recording->owners[number];
	const struct vmsi_recorded_sum *sum = &replay->sums[number];

	begin_row(stream, time, "owner");
	write_process(stream, recording, owner->process);
	fprintf(stream, "%s,", vmsi_owner_kinds[owner->kind]);
	write_text(stream, owner->name);
	fprintf(stream, ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64
		",%" PRIu64 ",%" PRIu64 ",,,,\r\n", sum->size, sum->reserved,
		sum->commit, sum->anonymous, sum->file, sum->swapped, sum->mappings);
}

static void write_stack(FILE *stream, const struct vmsi_recorded_stack *stack)
{
	char *copy = NULL;
	size_t length;
	FILE *memory = open_memstream(&copy, &length);

	if (!memory)
		return;
	for (uint32_t i = 0; i < stack->count; i++)
		fprintf(memory, "%s%s", i ? " < " : "", stack->frames[i]);
	if (fclose(memory) == 0)
		write_text(stream, copy);
	free(copy);
}

static void write_event(FILE *stream, const struct vmsi_recording *recording,
			const struct vmsi_recorded_event *event)
{
	if (event->kind == VMSI_RECORDED_CALL) {
		begin_row(stream, event->time, "call");
		write_process(stream, recording, event->process);
		fprintf(stream, ",,%" PRIu64 ",,", event->size);
		if (!event->error)
			fprintf(stream, "%" PRIu64, event->commit);
		fprintf(stream, ",,,,,%s,%s,", event->call,
			event->error ? strerrorname_np(event->error) : "");
		if (event->stack != VMSI_NOBODY)
			write_stack(stream, &recording->stacks[event->stack]);
		fprintf(stream, ",%" PRIu64 "\r\n", event->count);
	} else if (event->kind == VMSI_RECORDED_LIMIT) {
		begin_row(stream, event->time, "limit");
		fprintf(stream, ",,,,%" PRIu64 ",,%" PRIu64 ",,,,,,,,\r\n",
			event->size, event->commit);
	} else if (event->kind == VMSI_RECORDED_MACHINE) {
		begin_row(stream, event->time, "machine");
		fprintf(stream, ",,,,%" PRIu64 ",,%" PRIu64 ",,%" PRIu64
			",,,,,,\r\n", event->size, event->commit, event->file);
	}
}

static void write_moment(FILE *stream, const struct vmsi_report_view *view,
			 const struct vmsi_replay *replay, size_t first,
			 uint64_t time)
{
	const struct vmsi_recording *recording = view->recording;

	for (size_t i = first; i < replay->next; i++)
		write_event(stream, recording, &recording->events[i]);
	for (size_t i = 0; i < replay->changed_count; i++)
		write_sum(stream, recording, replay, replay->changed[i], time);
}

/* What there is where the part begins has rows of its own. */
static void write_begin(FILE *stream, const struct vmsi_report_view *view,
			const struct vmsi_replay *replay)
{
	for (uint32_t i = 0; i < view->recording->owner_count; i++)
		if (replay->sums[i].mappings)
			write_sum(stream, view->recording, replay, i, view->from);
}

int vmsi_report_csv(FILE *stream, const struct vmsi_report_view *view)
{
	const struct vmsi_recording *recording = view->recording;
	struct vmsi_replay replay;
	int result = vmsi_replay_open(&replay, recording);
	uint64_t time;

	if (result)
		return result;
	fputs(head, stream);
	if (view->from > 0)
		result = vmsi_replay_to(&replay, view->from);
	if (!result)
		write_begin(stream, view, &replay);
	while (!result && !ferror(stream) && replay.next < recording->event_count &&
	       recording->events[replay.next].time <= view->to) {
		const size_t first = replay.next;

		result = vmsi_replay_moment(&replay, &time);
		if (result > 0)
			write_moment(stream, view, &replay, first, time);
		result = result < 0 ? result : 0;
	}
	vmsi_replay_close(&replay);
	return result;
}
