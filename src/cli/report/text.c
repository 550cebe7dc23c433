/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/output/size.h"
#include "cli/output/terminal.h"
#include "cli/output/text.h"
#include "cli/report/asked.h"
#include "cli/report/series.h"

/* The form for a terminal: 80 columns. */

#define WIDTH 80
#define ROWS_MOST 15
#define REFUSALS_MOST 8
#define ASKED_MOST 8
#define FRAMES_MOST 8
#define FIGURE_WIDTH 7
#define NAME_WIDTH 36

/* --- parts of lines --------------------------------------------------------- */

static bool is_utf8(void)
{
	static const char *const variables[] = { "LC_ALL", "LC_CTYPE", "LANG" };

	for (size_t i = 0; i < 3; i++) {
		const char *value = getenv(variables[i]);

		if (value && *value)
			return strcasestr(value, "UTF-8") ||
				strcasestr(value, "UTF8");
	}
	return false;
}

static const char *size(uint64_t bytes)
{
	static struct vmsi_size_text texts[4];
	static unsigned next;

	texts[next = (next + 1) % 4] = vmsi_told_size(bytes);
	return texts[next].text;
}

/* Microseconds in seconds. */
static void write_time(FILE *stream, uint64_t time)
{
	if (time < 10000000)
		fprintf(stream, "%.3f s", (double)time / 1e6);
	else
		fprintf(stream, "%.1f s", (double)time / 1e6);
}

static size_t width_of(const char *text)
{
	size_t width = 0;

	for (; *text; width++) {
		const size_t length = vmsi_utf8_length(text);

		text += length ? length : 1;
	}
	return width;
}

/* Write the last characters of a text that is too wide, for a path ends in its name. */
static void write_end_of(FILE *stream, const char *text, size_t most)
{
	size_t width = width_of(text);

	if (width > most) {
		fputs("...", stream);
		for (; width > most - 3; width--) {
			const size_t length = vmsi_utf8_length(text);

			text += length ? length : 1;
		}
	}
	fputs(text, stream);
}

/* Write the first ones. */
static void write_begin_of(FILE *stream, const char *text, size_t most)
{
	const bool is_long = width_of(text) > most;

	for (size_t i = is_long ? 3 : 0; *text && i < most; i++) {
		size_t length = vmsi_utf8_length(text);

		length = length ? length : 1;
		fwrite(text, 1, length, stream);
		text += length;
	}
	if (is_long)
		fputs("...", stream);
}

/* Returns a text without what a terminal obeys, malloc's; NULL without memory. */
static char *escaped(const char *text)
{
	char *copy = NULL;
	size_t length;
	FILE *stream = open_memstream(&copy, &length);

	if (!stream)
		return NULL;
	vmsi_write_escaped(stream, text);
	if (fclose(stream) == 0)
		return copy;
	free(copy);
	return NULL;
}

/* --- the head ----------------------------------------------------------------- */

static void write_when(FILE *stream, const struct vmsi_recording *recording)
{
	const time_t began = (time_t)(recording->began / 1000000);
	struct tm parts;
	char text[32];

	if (localtime_r(&began, &parts) &&
	    strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &parts))
		fprintf(stream, "%s, ", text);
}

static int write_line(FILE *stream, const char *text)
{
	char *line = escaped(text);

	if (!line)
		return -ENOMEM;
	write_begin_of(stream, line, WIDTH - 1);
	fputc('\n', stream);
	free(line);
	return 0;
}

static void write_part(FILE *stream, const struct vmsi_report_view *view)
{
	if (view->from == 0 && view->to >= view->recording->length)
		return;
	fputs("shown: from ", stream);
	write_time(stream, view->from);
	fputs(" to ", stream);
	write_time(stream, view->to);
	fputc('\n', stream);
}

static size_t count_alive(const struct vmsi_report_view *view)
{
	const struct vmsi_recording *recording = view->recording;
	size_t count = 0;

	for (size_t i = 0; i < recording->process_count; i++)
		count += recording->processes[i].begin <= view->to &&
			recording->processes[i].end >= view->from;
	return count;
}

static void write_most(FILE *stream, const struct vmsi_series *series)
{
	if (series->count == 0) {
		fputs("Nothing of it was read: it ended before the first look, or may not "
		      "be seen.\n", stream);
		return;
	}
	fprintf(stream, "%s: %s at most, after ",
		series->has_pages ? "resident" : "commit",
		size(series->total.largest));
	write_time(stream, series->total.largest_at);
	fputc('\n', stream);
}

static int write_head(FILE *stream, const struct vmsi_report_view *view,
		      const struct vmsi_series *series)
{
	const struct vmsi_recording *recording = view->recording;
	const size_t count = count_alive(view);
	int error = write_line(stream, recording->program);

	if (!error)
		error = write_line(stream, recording->machine);
	if (error)
		return error;
	write_when(stream, recording);
	write_time(stream, recording->length);
	fprintf(stream, ", %zu program%s run, %zu event%s\n", count,
		count == 1 ? "" : "s", recording->event_count,
		recording->event_count == 1 ? "" : "s");
	write_part(stream, view);
	write_most(stream, series);
	if (!recording->is_cut)
		return 0;
	vmsi_mark_begin(stream, VMSI_MARK_NEAR);
	fputs("It ends in the midst", stream);
	vmsi_mark_end(stream);
	fputs(": the recorder was killed, could not write on, or still\nruns.\n", stream);
	return 0;
}

/* --- who grew most -------------------------------------------------------------- */

static void write_columns(FILE *stream, const struct vmsi_series_row *row)
{
	static const char *const bars[2][9] = {
		{ " ", ".", ":", "-", "=", "+", "*", "%", "#" },
		{ " ", "\u2581", "\u2582", "\u2583", "\u2584", "\u2585", "\u2586",
		  "\u2587", "\u2588" },
	};
	const char *const *const bar = bars[is_utf8()];

	for (size_t i = 0; i < VMSI_SERIES_COLUMNS; i++) {
		const uint64_t figure = row->columns[i];
		const double part = row->largest ?
			(double)figure / (double)row->largest : 0;

		/* What is there is seen. */
		fputs(bar[figure ? 1 + (unsigned)(part * 7) : 0], stream);
	}
}

static void write_figures(FILE *stream, const struct vmsi_series_row *row)
{
	const int64_t growth = vmsi_series_growth(row);
	char text[32] = "";

	/* All together have nothing any more when all have ended. */
	if (row->owner != VMSI_NOBODY)
		snprintf(text, sizeof(text), "%s%s",
			 growth > 0 ? "+" : growth ? "-" : "",
			 size((uint64_t)(growth < 0 ? -growth : growth)));
	fprintf(stream, "%*s %*s  ", vmsi_told_width(FIGURE_WIDTH), text,
		vmsi_told_width(FIGURE_WIDTH), size(row->largest));
	write_columns(stream, row);
	fputs("  ", stream);
}

static int write_row(FILE *stream, const struct vmsi_recording *recording,
		     const struct vmsi_series_row *row)
{
	const struct vmsi_recorded_owner *owner = &recording->owners[row->owner];
	const struct vmsi_recorded_process *process =
		&recording->processes[owner->process];
	const size_t room = NAME_WIDTH -
		2 * (size_t)(vmsi_told_width(FIGURE_WIDTH) - FIGURE_WIDTH);
	char *name = escaped(owner->name), *program = escaped(process->name);
	size_t width;
	char number[32];

	if (!name || !program) {
		free(name);
		free(program);
		return -ENOMEM;
	}
	write_figures(stream, row);
	if (row->processes > 1)
		snprintf(number, sizeof(number), "%zu times", row->processes);
	else
		snprintf(number, sizeof(number), "%d", (int)process->pid);
	width = 2 + width_of(program) + strlen(number);
	if (width > room / 2)
		width = room / 2;
	write_end_of(stream, name, room - width);
	fprintf(stream, " %s ", number);
	write_begin_of(stream, program, width - 2 - strlen(number));
	fputc('\n', stream);
	free(name);
	free(program);
	return 0;
}

static int write_growth(FILE *stream, const struct vmsi_report_view *view,
			const struct vmsi_series *series)
{
	size_t shown = 0;
	int error = 0;

	fprintf(stream, "\n%*s %*s  %-*s  OWNER, PROCESS\n",
		vmsi_told_width(FIGURE_WIDTH), "GREW",
		vmsi_told_width(FIGURE_WIDTH), "LARGEST", VMSI_SERIES_COLUMNS, series->has_pages ? "RESIDENT OVER TIME" :
							 "COMMIT OVER TIME");
	write_figures(stream, &series->total);
	fputs("all\n", stream);
	for (size_t i = 0; !error && i < series->count && shown < ROWS_MOST; i++) {
		if (series->rows[i].largest == 0)
			continue;
		error = write_row(stream, view->recording, &series->rows[i]);
		shown++;
	}
	return error;
}

/* --- refusals ------------------------------------------------------------------- */

/* Those of one call and stack are one. */
struct refusal {
	const struct vmsi_recorded_event *first;
	size_t count;
};

static size_t find_refusals(const struct vmsi_report_view *view,
			    struct refusal refusals[REFUSALS_MOST], size_t *all)
{
	const struct vmsi_recording *recording = view->recording;
	size_t count = 0;

	*all = 0;
	for (size_t i = 0; i < recording->event_count; i++) {
		const struct vmsi_recorded_event *event = &recording->events[i];
		size_t j = 0;

		if (event->kind != VMSI_RECORDED_CALL || !event->error ||
		    event->time < view->from || event->time > view->to)
			continue;
		++*all;
		while (j < count && (refusals[j].first->call != event->call ||
				     refusals[j].first->stack != event->stack))
			j++;
		if (j == REFUSALS_MOST)
			continue;
		if (j == count)
			refusals[count++] = (struct refusal){ event, 0 };
		refusals[j].count++;
	}
	return count;
}

static void write_frames(FILE *stream, const struct vmsi_recording *recording,
			 uint32_t number)
{
	const struct vmsi_recorded_stack *stack = number == VMSI_NOBODY ?
		NULL : &recording->stacks[number];

	for (uint32_t i = 0; stack && i < stack->count && i < FRAMES_MOST; i++) {
		char *frame = escaped(stack->frames[i]);

		fputs("      ", stream);
		write_begin_of(stream, frame ? frame : "?", WIDTH - 7);
		fputc('\n', stream);
		free(frame);
	}
}

static void write_whose(FILE *stream, const struct vmsi_recording *recording,
			uint32_t process)
{
	if (process == VMSI_NOBODY)
		return;
	fprintf(stream, ", %d ", (int)recording->processes[process].pid);
	vmsi_write_escaped(stream, recording->processes[process].name);
}

static void write_refusal(FILE *stream, const struct vmsi_recording *recording,
			  const struct refusal *refusal)
{
	const struct vmsi_recorded_event *event = refusal->first;

	fprintf(stream, "  %zu time%s %s, first of %s after ", refusal->count,
		refusal->count == 1 ? "" : "s", event->call, size(event->size));
	write_time(stream, event->time);
	write_whose(stream, recording, event->process);
	fputc('\n', stream);
	write_frames(stream, recording, event->stack);
}

static void write_refusals(FILE *stream, const struct vmsi_report_view *view)
{
	struct refusal refusals[REFUSALS_MOST];
	size_t all, count = find_refusals(view, refusals, &all);

	if (count == 0)
		return;
	fputc('\n', stream);
	vmsi_mark_begin(stream, VMSI_MARK_BAD);
	fputs("Refused", stream);
	vmsi_mark_end(stream);
	fprintf(stream, ": %zu request%s\n", all, all == 1 ? "" : "s");
	for (size_t i = 0; i < count; i++)
		write_refusal(stream, view->recording, &refusals[i]);
}

/* --- what was granted ------------------------------------------------------------ */

static void write_asked(FILE *stream, const struct vmsi_recording *recording,
			const struct vmsi_asked *asked)
{
	fprintf(stream, "  %s by %" PRIu64 " call%s%s%s", size(asked->charged),
		asked->count, asked->count == 1 ? "" : "s",
		asked->stack == VMSI_NOBODY ? "" : " of ",
		asked->stack == VMSI_NOBODY ? " without a stack" : asked->call);
	write_whose(stream, recording, asked->process);
	fputc('\n', stream);
	write_frames(stream, recording, asked->stack);
}

static int write_all_asked(FILE *stream, const struct vmsi_report_view *view)
{
	struct vmsi_asked_list asked;
	const int error = vmsi_asked_make(&asked, view);

	if (error)
		return error;
	if (asked.count > 0)
		fprintf(stream, "\nAsked for: %s by %" PRIu64 " call%s. Most of it:\n",
			size(asked.all.charged), asked.all.count,
			asked.all.count == 1 ? "" : "s");
	for (size_t i = 0; i < asked.count && i < ASKED_MOST; i++)
		write_asked(stream, view->recording, &asked.list[i]);
	vmsi_asked_free(&asked);
	return 0;
}

int vmsi_report_text(FILE *stream, const struct vmsi_report_view *view)
{
	struct vmsi_series series;
	int error = vmsi_series_make(&series, view);

	if (error)
		return error;
	error = write_head(stream, view, &series);
	if (!error && series.count > 0)
		error = write_growth(stream, view, &series);
	if (!error)
		write_refusals(stream, view);
	if (!error)
		error = write_all_asked(stream, view);
	vmsi_series_free(&series);
	return error;
}
