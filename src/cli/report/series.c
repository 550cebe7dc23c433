/* SPDX-License-Identifier: MIT */
#include "cli/report/series.h"

#include <errno.h>
#include <stdlib.h>

#include "cli/recording/replay.h"

struct maker {
	struct vmsi_series *series;
	const struct vmsi_report_view *view;
	struct vmsi_replay replay;
	size_t column;       /* that the last moment was in */
	/* The owners of each process: the first, and of each owner the next. */
	uint32_t *first, *next;
};

static uint64_t value(const struct maker *maker, const struct vmsi_recorded_sum *sum)
{
	return maker->series->has_pages ? vmsi_recorded_resident(sum) : sum->commit;
}

static void note(struct vmsi_series_row *row, size_t column, uint64_t now,
		 uint64_t time)
{
	row->after = now;
	if (now > row->columns[column])
		row->columns[column] = now;
	if (now > row->largest) {
		row->largest = now;
		row->largest_at = time;
	}
}

/* The last column has the end of the part, too. */
static size_t column_of(const struct maker *maker, uint64_t time)
{
	const struct vmsi_report_view *view = maker->view;
	const uint64_t length = view->to - view->from;
	const uint64_t width = length / VMSI_SERIES_COLUMNS + 1;

	return (size_t)((time - view->from) / width);
}

/* What there was at the end of a column is there at the begin of the next. */
static void carry(struct maker *maker, size_t column)
{
	struct vmsi_series *series = maker->series;

	while (maker->column < column) {
		maker->column++;
		for (size_t i = 0; i < series->count; i++)
			series->rows[i].columns[maker->column] =
				value(maker, &maker->replay.sums[i]);
		series->total.columns[maker->column] =
			value(maker, &maker->replay.total);
	}
}

/* What a process had when it ended, for its end takes it all away. */
static void keep_last(struct maker *maker, uint64_t time, uint64_t *kept)
{
	const struct vmsi_recording *recording = maker->view->recording;
	const size_t next = maker->replay.next;

	for (size_t i = next; i < recording->event_count &&
	     recording->events[i].time == time; i++) {
		const struct vmsi_recorded_event *event = &recording->events[i];
		const struct vmsi_recorded_process *process;

		if (event->kind != VMSI_RECORDED_UNMAPPED)
			continue;
		process = &recording->processes[event->process];
		if (!process->is_ended || process->end != time)
			continue;
		for (uint32_t owner = maker->first[event->process];
		     owner != VMSI_NOBODY; owner = maker->next[owner])
			kept[owner] = value(maker, &maker->replay.sums[owner]);
	}
}

static bool has_ended_at(const struct vmsi_recording *recording, uint32_t owner,
			 uint64_t time)
{
	const struct vmsi_recorded_process *process =
		&recording->processes[recording->owners[owner].process];

	return process->is_ended && process->end == time;
}

static void note_moment(struct maker *maker, uint64_t time, const uint64_t *kept)
{
	struct vmsi_series *series = maker->series;
	const struct vmsi_replay *replay = &maker->replay;

	for (size_t i = 0; i < replay->changed_count; i++) {
		const uint32_t owner = replay->changed[i];
		struct vmsi_series_row *row = &series->rows[owner];

		note(row, maker->column, value(maker, &replay->sums[owner]), time);
		if (has_ended_at(maker->view->recording, owner, time))
			row->after = kept[owner];
	}
	note(&series->total, maker->column, value(maker, &replay->total), time);
}

static void begin(struct maker *maker)
{
	struct vmsi_series *series = maker->series;
	const uint64_t from = maker->view->from;

	for (size_t i = 0; i < series->count; i++) {
		series->rows[i].owner = (uint32_t)i;
		series->rows[i].before = value(maker, &maker->replay.sums[i]);
		note(&series->rows[i], 0, series->rows[i].before, from);
	}
	series->total.owner = VMSI_NOBODY;
	series->total.before = value(maker, &maker->replay.total);
	note(&series->total, 0, series->total.before, from);
}

static int make(struct maker *maker, uint64_t *kept)
{
	const struct vmsi_report_view *view = maker->view;
	const struct vmsi_recording *recording = view->recording;
	struct vmsi_replay *replay = &maker->replay;
	uint64_t time;
	int result = vmsi_replay_to(replay, view->from);

	if (result)
		return result;
	begin(maker);
	while (replay->next < recording->event_count &&
	       recording->events[replay->next].time <= view->to) {
		time = recording->events[replay->next].time;
		carry(maker, column_of(maker, time));
		keep_last(maker, time, kept);
		result = vmsi_replay_moment(replay, &time);
		if (result < 0)
			return result;
		note_moment(maker, time, kept);
	}
	carry(maker, VMSI_SERIES_COLUMNS - 1);
	return 0;
}

static int compare(const void *left, const void *right)
{
	const struct vmsi_series_row *a = left, *b = right;
	const int64_t grew_a = vmsi_series_growth(a), grew_b = vmsi_series_growth(b);

	if (grew_a != grew_b)
		return grew_a > grew_b ? -1 : 1;
	if (a->largest != b->largest)
		return a->largest > b->largest ? -1 : 1;
	return a->owner < b->owner ? -1 : 1;
}

static void list_owners(struct maker *maker)
{
	const struct vmsi_recording *recording = maker->view->recording;

	for (size_t i = 0; i < recording->process_count; i++)
		maker->first[i] = VMSI_NOBODY;
	for (size_t i = 0; i < recording->owner_count; i++) {
		uint32_t *const first = &maker->first[recording->owners[i].process];

		maker->next[i] = *first;
		*first = (uint32_t)i;
	}
}

static bool tells_pages(const struct vmsi_recording *recording)
{
	for (size_t i = 0; i < recording->event_count; i++)
		if (recording->events[i].has_pages)
			return true;
	return false;
}

int vmsi_series_make(struct vmsi_series *series,
		     const struct vmsi_report_view *view)
{
	const struct vmsi_recording *recording = view->recording;
	const size_t count = recording->owner_count;
	struct maker maker = {
		.series = series, .view = view,
		.first = calloc(recording->process_count + 1, sizeof(uint32_t)),
		.next = calloc(count + 1, sizeof(uint32_t)),
	};
	uint64_t *kept = calloc(count + 1, sizeof(*kept));
	int error = -ENOMEM;

	*series = (struct vmsi_series){
		.has_pages = tells_pages(recording), .count = count,
		.rows = calloc(count + 1, sizeof(*series->rows)),
	};
	if (maker.first && maker.next && kept && series->rows &&
	    vmsi_replay_open(&maker.replay, recording) == 0) {
		list_owners(&maker);
		error = make(&maker, kept);
		vmsi_replay_close(&maker.replay);
		qsort(series->rows, count, sizeof(*series->rows), compare);
	}
	free(maker.first);
	free(maker.next);
	free(kept);
	if (error)
		vmsi_series_free(series);
	return error;
}

void vmsi_series_free(struct vmsi_series *series)
{
	free(series->rows);
	*series = (struct vmsi_series){ 0 };
}
