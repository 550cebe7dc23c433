/* SPDX-License-Identifier: MIT */
#include "cli/top/draw.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/top/value.h"

#define NUMBER_COLUMNS 7
#define FIGURE_COLUMNS 9
/* Of sizes in bytes: as many as a terabyte has, and a sign. */
#define BYTES_COLUMNS 15
/* A name has so many columns at least, before a figure gets any. */
#define NAME_COLUMNS 12
#define HISTORY_FEW 8
#define NAME_WIDE 40

/* --- where things stand ---------------------------------------------------------------- */

static bool has_numbers(const struct vmsi_top_model *model)
{
	return model->known >> VMSI_TOP_MINOR & 1;
}

static unsigned columns_for(const struct vmsi_top_model *model,
			    enum vmsi_top_column column)
{
	const enum vmsi_top_unit unit = vmsi_top_columns[column].unit;

	return model->choice.sizes == VMSI_SIZE_BYTES &&
		(unit == VMSI_TOP_BYTES || unit == VMSI_TOP_BYTES_A_SECOND) ?
		BYTES_COLUMNS : FIGURE_COLUMNS;
}

/* Take the place for a column, once. */
static void choose_one(const struct vmsi_top_model *model, enum vmsi_top_column column,
		       uint32_t *chosen, unsigned *room)
{
	const unsigned columns = columns_for(model, column);

	if (*chosen >> column & 1 || !vmsi_top_can_sort(model, column) || *room < columns)
		return;
	*chosen |= 1u << column;
	*room -= columns;
}

/*
 * Choose the columns that there is place for: that by which rows are sorted, and then
 * those of low rank. Returns a bit for each.
 */
static uint32_t choose(const struct vmsi_top_model *model, unsigned room)
{
	uint32_t chosen = 0;

	if (model->choice.sort < VMSI_TOP_COLUMNS)
		choose_one(model, model->choice.sort, &chosen, &room);
	for (unsigned rank = 0; rank <= VMSI_TOP_COLUMNS; rank++)
		for (enum vmsi_top_column i = 0; i < VMSI_TOP_COLUMNS; i++)
			if (vmsi_top_columns[i].rank == rank)
				choose_one(model, i, &chosen, &room);
	return chosen;
}

static void place_columns(struct vmsi_top_layout *layout,
			  const struct vmsi_top_model *model, unsigned width)
{
	unsigned end = has_numbers(model) ? NUMBER_COLUMNS : 0;
	const unsigned taken = end + NAME_COLUMNS + 1;
	/* The history is worth more than the last figures. */
	const unsigned history = width >= 72 ? HISTORY_FEW + 1 : 0;
	const uint32_t chosen = choose(model, width > taken + history ?
				       width - taken - history : 0);

	if (end)
		layout->places[layout->count++] =
			(struct vmsi_top_place){ VMSI_TOP_NUMBER, end };
	for (enum vmsi_top_column i = 0; i < VMSI_TOP_COLUMNS; i++)
		if (chosen >> i & 1) {
			end += columns_for(model, i);
			layout->places[layout->count++] =
				(struct vmsi_top_place){ i, end };
		}
	if (history) {
		const unsigned left = width - end - NAME_COLUMNS;

		layout->history = end + 1;
		layout->history_columns = left > NAME_WIDE + VMSI_TOP_HISTORY ?
			VMSI_TOP_HISTORY : left > NAME_WIDE + HISTORY_FEW ?
			left - NAME_WIDE : HISTORY_FEW;
		end += layout->history_columns + 1;
	}
	layout->name = end + (end > 0);
}

struct vmsi_top_layout vmsi_top_layout(const struct vmsi_top_model *model,
				       unsigned width, unsigned height)
{
	struct vmsi_top_layout layout = {
		.head = vmsi_top_head_lines(height), .sizes = model->choice.sizes,
		.has_commands = model->choice.wants_commands,
	};
	unsigned left = height - layout.head;

	layout.has_headings = left > 2;
	left -= layout.has_headings;
	layout.has_footer = left > 1;
	left -= layout.has_footer;
	layout.list = left;
	place_columns(&layout, model, width);
	return layout;
}

/* --- rows ---------------------------------------------------------------------------- */

static void put_right(struct vmsi_top_canvas *canvas, unsigned end, const char *text)
{
	const unsigned length = (unsigned)strlen(text);

	if (canvas->width + length < end)
		vmsi_top_fill(canvas, end - length);
	else if (canvas->width)
		vmsi_top_put(canvas, " ");
	vmsi_top_put(canvas, "%s", text);
}

void vmsi_top_draw_headings(struct vmsi_top_canvas *canvas,
			    const struct vmsi_top_layout *layout,
			    const struct vmsi_top_model *model)
{
	const enum vmsi_top_column sort = model->choice.sort;

	vmsi_top_style(canvas, VMSI_TOP_HEADER);
	for (unsigned i = 0; i < layout->count; i++) {
		const struct vmsi_top_place *place = &layout->places[i];
		const char *heading = vmsi_top_columns[place->column].heading;

		vmsi_top_fill(canvas, place->end - (unsigned)strlen(heading));
		vmsi_top_style(canvas, place->column == sort ? VMSI_TOP_SORTED :
			       VMSI_TOP_HEADER);
		vmsi_top_put(canvas, "%s", heading);
		vmsi_top_style(canvas, VMSI_TOP_HEADER);
	}
	if (layout->history_columns) {
		vmsi_top_fill(canvas, layout->history);
		vmsi_top_put(canvas, "HISTORY");
	}
	vmsi_top_fill(canvas, layout->name);
	vmsi_top_style(canvas, sort == VMSI_TOP_NAME ? VMSI_TOP_SORTED :
		       VMSI_TOP_HEADER);
	vmsi_top_put(canvas, "%s", has_numbers(model) ? "NAME" : "OWNER");
	vmsi_top_style(canvas, VMSI_TOP_HEADER);
}

static void put_name(struct vmsi_top_canvas *canvas, const struct vmsi_top_row *row,
		     bool has_commands)
{
	const bool is_named = row->kind && strcmp(row->kind, "named") == 0;

	if (is_named)
		vmsi_top_put(canvas, "[anon:");
	vmsi_top_put_name(canvas, has_commands && row->command ? row->command :
			  row->name);
	if (is_named)
		vmsi_top_put(canvas, "]");
	if (row->is_deleted)
		vmsi_top_put(canvas, " (deleted)");
}

void vmsi_top_draw_row(struct vmsi_top_canvas *canvas,
		       const struct vmsi_top_layout *layout,
		       const struct vmsi_top_line *line)
{
	const struct vmsi_top_row *row = line->row;
	char number[24];

	for (unsigned i = 0; i < layout->count; i++) {
		const struct vmsi_top_place *place = &layout->places[i];

		snprintf(number, sizeof(number), "%" PRIu64, row->id.number);
		put_right(canvas, place->end, place->column == VMSI_TOP_NUMBER ?
			  number : vmsi_top_value(&line->figures, place->column,
						  layout->sizes).text);
	}
	if (layout->history_columns) {
		vmsi_top_fill(canvas, layout->history);
		vmsi_top_put_history(canvas, row->history, row->moments,
				     layout->history_columns);
	}
	vmsi_top_fill(canvas, layout->name);
	vmsi_top_put_branch(canvas, line->depth, line->rails, line->is_last);
	if (line->has_children && row->is_folded)
		vmsi_top_put(canvas, "+ ");
	put_name(canvas, row, layout->has_commands);
}

/* --- all lines ------------------------------------------------------------------------- */

/* The first line of the menu that is shown, so that the chosen one is. */
static size_t menu_first(const struct vmsi_top_layout *layout,
			 const struct vmsi_top_model *model,
			 const struct vmsi_top_ui *ui)
{
	size_t at = 0;

	while (vmsi_top_menu_column(model, at) < ui->column)
		at++;
	return at >= layout->list ? at + 1 - layout->list : 0;
}

static void draw_list_line(struct vmsi_top_canvas *canvas,
			   const struct vmsi_top_layout *layout,
			   const struct vmsi_top_model *model,
			   const struct vmsi_top_ui *ui, size_t line)
{
	const size_t at = ui->first + line;

	if (ui->mode == VMSI_TOP_HELP) {
		vmsi_top_draw_help(canvas, model, ui->below + line);
		return;
	}
	if (ui->mode == VMSI_TOP_SORT) {
		vmsi_top_draw_menu(canvas, model, ui,
				   menu_first(layout, model, ui) + line);
		return;
	}
	if (at >= model->line_count)
		return;
	if (at == ui->cursor)
		vmsi_top_style(canvas, VMSI_TOP_CURSOR);
	vmsi_top_draw_row(canvas, layout, &model->lines[at]);
	if (at == ui->cursor)
		vmsi_top_fill(canvas, canvas->most);
}

void vmsi_top_draw(const struct vmsi_top_screen *screen,
		   const struct vmsi_top_layout *layout,
		   const struct vmsi_top_model *model,
		   const struct vmsi_top_ui *ui)
{
	unsigned at = layout->head;

	for (unsigned i = 0; i < screen->height; i++)
		vmsi_top_canvas_begin(&screen->lines[i], screen->width,
				      screen->is_utf8);
	vmsi_top_draw_head(screen, layout->head, model);
	if (layout->has_headings) {
		vmsi_top_draw_headings(&screen->lines[at], layout, model);
		vmsi_top_fill(&screen->lines[at], screen->width);
		at++;
	}
	for (unsigned i = 0; i < layout->list; i++)
		draw_list_line(&screen->lines[at++], layout, model, ui, i);
	if (layout->has_footer)
		vmsi_top_draw_footer(&screen->lines[at], model, ui);
}

/* --- the mouse ------------------------------------------------------------------------- */

static void click_heading(struct vmsi_top_model *model,
			  const struct vmsi_top_layout *layout, unsigned column)
{
	if (column >= layout->name)
		vmsi_top_sort_by(model, VMSI_TOP_NAME);
	for (unsigned i = 0; i < layout->count; i++)
		if (column < layout->places[i].end) {
			vmsi_top_sort_by(model, layout->places[i].column);
			return;
		}
}

static void click_list(struct vmsi_top_ui *ui, struct vmsi_top_model *model,
		       const struct vmsi_top_layout *layout, size_t line)
{
	if (ui->mode == VMSI_TOP_SORT) {
		ui->column = vmsi_top_menu_column(model, line +
						  menu_first(layout, model, ui));
		if (ui->column != VMSI_TOP_ORDERS)
			vmsi_top_sort_by(model, ui->column);
		ui->mode = VMSI_TOP_LIST;
	} else if (ui->mode == VMSI_TOP_HELP) {
		ui->mode = VMSI_TOP_LIST;
	} else if (ui->first + line < model->line_count) {
		vmsi_top_point(ui, model, ui->first + line);
	}
}

void vmsi_top_click(struct vmsi_top_ui *ui, struct vmsi_top_model *model,
		    const struct vmsi_top_layout *layout, unsigned width,
		    unsigned height, unsigned column, unsigned line)
{
	const unsigned list = layout->head + layout->has_headings;

	if (layout->has_footer && line == height - 1) {
		const uint32_t key = vmsi_top_footer_key(width, column);

		if (key && ui->mode == VMSI_TOP_LIST)
			vmsi_top_press(ui, model, key);
	} else if (layout->has_headings && line + 1 == list) {
		click_heading(model, layout, column);
	} else if (line >= list && line < list + layout->list) {
		click_list(ui, model, layout, line - list);
	}
}
