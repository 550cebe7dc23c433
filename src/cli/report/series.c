/* SPDX-License-Identifier: MIT */
#include "cli/report/series.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/recording/replay.h"

/* Where more processes of a name have an owner of one kind and name, they share a row. */
#define OWN_ROWS_MOST 8

struct maker {
	struct vmsi_series *series;
	const struct vmsi_report_view *view;
	struct vmsi_replay replay;
	size_t column;       /* that the last moment was in */
	uint32_t *row_of;    /* of each owner */
	uint64_t *had;       /* by each owner, at the last moment */
};

/* --- rows ------------------------------------------------------------------- */

static const char *process_name(const struct vmsi_recording *recording, uint32_t owner)
{
	return recording->processes[recording->owners[owner].process].name;
}

static int compare_names(const struct vmsi_recording *recording, uint32_t a, uint32_t b)
{
	const struct vmsi_recorded_owner *left = &recording->owners[a];
	const struct vmsi_recorded_owner *right = &recording->owners[b];
	int result;

	if (left->kind != right->kind)
		return left->kind < right->kind ? -1 : 1;
	result = strcmp(left->name, right->name);
	return result ? result : strcmp(process_name(recording, a),
					process_name(recording, b));
}

static int compare_owners(const void *left, const void *right, void *recording)
{
	const uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
	const int result = compare_names(recording, a, b);

	return result ? result : a < b ? -1 : 1;
}

/* How many owners from a place on are called the same. */
static size_t count_same(const struct vmsi_recording *recording,
			 const uint32_t *owners, size_t count)
{
	size_t same = 1;

	while (same < count &&
	       compare_names(recording, owners[0], owners[same]) == 0)
		same++;
	return same;
}

/* How many of them have processes that live within the part. */
static size_t count_living(const struct vmsi_report_view *view,
			   const uint32_t *owners, size_t count)
{
	const struct vmsi_recording *recording = view->recording;
	size_t living = 0;

	for (size_t i = 0; i < count; i++) {
		const struct vmsi_recorded_process *process =
			&recording->processes[recording->owners[owners[i]].process];

		living += process->begin <= view->to && process->end >= view->from;
	}
	return living;
}

static void add_row(struct maker *maker, const uint32_t *owners, size_t count)
{
	struct vmsi_series *series = maker->series;

	series->rows[series->count].owner = owners[0];
	series->rows[series->count].processes =
		count_living(maker->view, owners, count);
	for (size_t i = 0; i < count; i++)
		maker->row_of[owners[i]] = (uint32_t)series->count;
	series->count++;
}

/* order has room for the number of each owner. */
static void make_rows(struct maker *maker, uint32_t *order)
{
	const struct vmsi_recording *recording = maker->view->recording;
	const size_t count = recording->owner_count;

	for (size_t i = 0; i < count; i++)
		order[i] = (uint32_t)i;
	qsort_r(order, count, sizeof(*order), compare_owners, (void *)recording);
	for (size_t i = 0, same; i < count; i += same) {
		same = count_same(recording, order + i, count - i);
		if (count_living(maker->view, order + i, same) > OWN_ROWS_MOST) {
			add_row(maker, order + i, same);
			continue;
		}
		for (size_t k = 0; k < same; k++)
			add_row(maker, order + i + k, 1);
	}
}

/* --- moments ---------------------------------------------------------------- */

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
			series->rows[i].columns[maker->column] = series->rows[i].now;
		series->total.columns[maker->column] =
			value(maker, &maker->replay.total);
	}
}

static bool has_ended_at(const struct vmsi_recording *recording, uint32_t owner,
			 uint64_t time)
{
	const struct vmsi_recorded_process *process =
		&recording->processes[recording->owners[owner].process];

	return process->is_ended && process->end == time;
}

static struct vmsi_series_row *row_of(const struct maker *maker, uint32_t owner)
{
	return &maker->series->rows[maker->row_of[owner]];
}

/* Add what an owner has now to its row. The end of its process takes it all away. */
static void take_owner(struct maker *maker, uint32_t owner, uint64_t time)
{
	struct vmsi_series_row *row = row_of(maker, owner);
	const uint64_t has = value(maker, &maker->replay.sums[owner]);

	if (row->ended_at != time)
		row->ended = 0;
	row->ended_at = time;
	if (has_ended_at(maker->view->recording, owner, time))
		row->ended += maker->had[owner];
	row->now += has - maker->had[owner];
	maker->had[owner] = has;
}

static void note_moment(struct maker *maker, uint64_t time)
{
	struct vmsi_series *series = maker->series;
	const struct vmsi_replay *replay = &maker->replay;

	for (size_t i = 0; i < replay->changed_count; i++)
		take_owner(maker, replay->changed[i], time);
	for (size_t i = 0; i < replay->changed_count; i++) {
		struct vmsi_series_row *row = row_of(maker, replay->changed[i]);

		note(row, maker->column, row->now, time);
		if (row->now == 0)
			row->after = row->ended;
	}
	note(&series->total, maker->column, value(maker, &replay->total), time);
}

static void begin(struct maker *maker)
{
	struct vmsi_series *series = maker->series;
	const uint64_t from = maker->view->from;

	for (uint32_t i = 0; i < maker->view->recording->owner_count; i++) {
		maker->had[i] = value(maker, &maker->replay.sums[i]);
		row_of(maker, i)->now += maker->had[i];
	}
	for (size_t i = 0; i < series->count; i++) {
		series->rows[i].before = series->rows[i].now;
		note(&series->rows[i], 0, series->rows[i].now, from);
	}
	series->total.owner = VMSI_NOBODY;
	series->total.before = value(maker, &maker->replay.total);
	note(&series->total, 0, series->total.before, from);
}

static int make(struct maker *maker)
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
		result = vmsi_replay_moment(replay, &time);
		if (result < 0)
			return result;
		note_moment(maker, time);
	}
	carry(maker, VMSI_SERIES_COLUMNS - 1);
	return 0;
}

/* --- the whole -------------------------------------------------------------- */

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
		.row_of = calloc(count + 1, sizeof(uint32_t)),
		.had = calloc(count + 1, sizeof(uint64_t)),
	};
	uint32_t *order = calloc(count + 1, sizeof(*order));
	int error = -ENOMEM;

	*series = (struct vmsi_series){
		.has_pages = tells_pages(recording),
		.rows = calloc(count + 1, sizeof(*series->rows)),
	};
	if (maker.row_of && maker.had && order && series->rows &&
	    vmsi_replay_open(&maker.replay, recording) == 0) {
		make_rows(&maker, order);
		error = make(&maker);
		vmsi_replay_close(&maker.replay);
		qsort(series->rows, series->count, sizeof(*series->rows), compare);
	}
	free(maker.row_of);
	free(maker.had);
	free(order);
	if (error)
		vmsi_series_free(series);
	return error;
}

void vmsi_series_free(struct vmsi_series *series)
{
	free(series->rows);
	*series = (struct vmsi_series){ 0 };
}
