/* SPDX-License-Identifier: MIT */
#include "cli/top/draw.h"

#include <string.h>

/* What is shown besides rows: help, the menu of columns, the keys. */

/* --- help ---------------------------------------------------------------------------- */

static const char *const help[] = {
	"F1 h ?      this help; Up and Down move it, any other key leaves it",
	"F4 / \\      show rows alone whose names have a text; Esc ends it",
	"F5 t        processes as a tree",
	"F6 < >      choose the column that rows are sorted by",
	"I           sort the other way round",
	"+ - Space   unfold and fold what is below a row of the tree; * all",
	"c           command lines, or names",
	"B           sizes in bytes, or as 188K, 1.3M, 2G",
	"Z           freeze: nothing is read until it is pressed again",
	"arrows, PgUp, PgDn, Home, End, mouse   move the cursor",
	"F10 q       quit",
	"",
	"Columns, and the key that sorts by each:",
};

#define HELP_LINES (sizeof(help) / sizeof(help[0]))

enum vmsi_top_column vmsi_top_menu_column(const struct vmsi_top_model *model,
					  size_t line)
{
	for (enum vmsi_top_column i = 0; i < VMSI_TOP_ORDERS; i++)
		if (vmsi_top_can_sort(model, i) && line-- == 0)
			return i;
	return VMSI_TOP_ORDERS;
}

size_t vmsi_top_help_lines(const struct vmsi_top_model *model)
{
	size_t lines = HELP_LINES;

	while (vmsi_top_menu_column(model, lines - HELP_LINES) != VMSI_TOP_ORDERS)
		lines++;
	return lines;
}

void vmsi_top_draw_help(struct vmsi_top_canvas *canvas,
			const struct vmsi_top_model *model, size_t line)
{
	enum vmsi_top_column column;

	if (line < HELP_LINES) {
		vmsi_top_put(canvas, "%s", help[line]);
		return;
	}
	column = vmsi_top_menu_column(model, line - HELP_LINES);
	if (column != VMSI_TOP_ORDERS)
		vmsi_top_put(canvas, "%c  %-9s %s", vmsi_top_columns[column].key,
			     vmsi_top_columns[column].heading,
			     vmsi_top_columns[column].help);
}

/* --- the menu ------------------------------------------------------------------------ */

void vmsi_top_draw_menu(struct vmsi_top_canvas *canvas,
			const struct vmsi_top_model *model,
			const struct vmsi_top_ui *ui, size_t line)
{
	const enum vmsi_top_column column = vmsi_top_menu_column(model, line);

	if (column == VMSI_TOP_ORDERS)
		return;
	vmsi_top_style(canvas, column == ui->column ? VMSI_TOP_CURSOR :
		       VMSI_TOP_PLAIN);
	vmsi_top_put(canvas, "%c %-9s %s", column == ui->column ? '>' : ' ',
		     vmsi_top_columns[column].heading,
		     vmsi_top_columns[column].help);
	vmsi_top_fill(canvas, canvas->most);
}

/* --- keys ---------------------------------------------------------------------------- */

static const struct {
	const char *key, *word;
	uint32_t press;
} keys[] = {
	{ "F1", "Help", VMSI_TOP_KEY_F(1) },
	{ "F4", "Filter", VMSI_TOP_KEY_F(4) },
	{ "F5", "Tree", VMSI_TOP_KEY_F(5) },
	{ "F6", "Sort", VMSI_TOP_KEY_F(6) },
	{ "I", "Invert", 'I' },
	{ "Z", "Freeze", 'Z' },
	{ "F10", "Quit", VMSI_TOP_KEY_F(10) },
};

#define KEYS (sizeof(keys) / sizeof(keys[0]))

/* Each key has its word and a blank; F10 is left out last. */
static unsigned columns_of(size_t key)
{
	return (unsigned)(strlen(keys[key].key) + strlen(keys[key].word) + 1);
}

/* How many of the first keys fit beside the last one. */
static size_t fitting(unsigned width)
{
	unsigned used = columns_of(KEYS - 1);
	size_t count = 0;

	while (count < KEYS - 1 && used + columns_of(count) <= width)
		used += columns_of(count++);
	return count;
}

static void draw_key(struct vmsi_top_canvas *canvas, size_t key)
{
	vmsi_top_style(canvas, VMSI_TOP_PLAIN);
	vmsi_top_put(canvas, "%s", keys[key].key);
	vmsi_top_style(canvas, VMSI_TOP_KEY);
	vmsi_top_put(canvas, "%s", keys[key].word);
	vmsi_top_style(canvas, VMSI_TOP_PLAIN);
	vmsi_top_put(canvas, " ");
}

void vmsi_top_draw_footer(struct vmsi_top_canvas *canvas,
			  const struct vmsi_top_model *model,
			  const struct vmsi_top_ui *ui)
{
	const size_t count = fitting(canvas->most);

	if (ui->mode == VMSI_TOP_FILTER) {
		vmsi_top_style(canvas, VMSI_TOP_KEY);
		vmsi_top_put(canvas, "Filter:");
		vmsi_top_style(canvas, VMSI_TOP_PLAIN);
		vmsi_top_put(canvas, " ");
		vmsi_top_put_name(canvas, model->choice.filter);
		vmsi_top_put(canvas, "_  Enter keeps it, Esc ends it");
		return;
	}
	if (ui->mode == VMSI_TOP_SORT) {
		vmsi_top_put(canvas, "Up, Down, Enter: sort by that column; Esc");
		return;
	}
	if (ui->mode == VMSI_TOP_HELP) {
		vmsi_top_put(canvas, "Up, Down; any other key leaves the help");
		return;
	}
	for (size_t i = 0; i < count; i++)
		draw_key(canvas, i);
	draw_key(canvas, KEYS - 1);
}

uint32_t vmsi_top_footer_key(unsigned width, unsigned column)
{
	const size_t count = fitting(width);
	unsigned end = 0;

	for (size_t i = 0; i < count; i++) {
		end += columns_of(i);
		if (column < end)
			return keys[i].press;
	}
	return column < end + columns_of(KEYS - 1) ? keys[KEYS - 1].press : 0;
}
