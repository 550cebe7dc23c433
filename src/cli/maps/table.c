/* SPDX-License-Identifier: MIT */
#include "cli/maps/table.h"

#include <stdio.h>
#include <string.h>

struct vmsi_amount_text vmsi_amount_text(const struct vmsi_maps_view *view,
					 uint64_t amount, bool is_count)
{
	const enum vmsi_size_style style = is_count ? VMSI_SIZE_BYTES : view->style;
	struct vmsi_amount_text shown;
	const char *sign = "";

	if (view->is_difference && amount) {
		sign = (int64_t)amount < 0 ? "-" : "+";
		amount = (int64_t)amount < 0 ? 0 - amount : amount;
	}
	stpcpy(stpcpy(shown.text, sign), vmsi_size_text(amount, style).text);
	return shown;
}

static struct vmsi_amount_text cell(const struct vmsi_table *table, size_t column,
				    const struct vmsi_figures *figures)
{
	const enum vmsi_column shown = table->view->columns[column];

	return vmsi_amount_text(table->view, figures->of[shown],
				vmsi_columns[shown].is_count);
}

struct vmsi_table vmsi_table_begin(const struct vmsi_maps_view *view)
{
	struct vmsi_table table = { .view = view };

	for (size_t i = 0; i < view->column_count; i++)
		table.widths[i] = (int)strlen(vmsi_columns[view->columns[i]]
					      .heading);
	return table;
}

void vmsi_table_widen(struct vmsi_table *table, const struct vmsi_figures *figures)
{
	for (size_t i = 0; i < table->view->column_count; i++) {
		const int width = (int)strlen(cell(table, i, figures).text);

		if (table->widths[i] < width)
			table->widths[i] = width;
	}
}

void vmsi_table_write_headings(const struct vmsi_table *table, const char *last)
{
	for (size_t i = 0; i < table->view->column_count; i++)
		printf("%*s  ", table->widths[i],
		       vmsi_columns[table->view->columns[i]].heading);
	puts(last);
}

/* There may be a million of them, for which printf takes its time. */
static void write_cell(int width, const char *text)
{
	for (int i = (int)strlen(text); i < width; i++)
		putchar_unlocked(' ');
	fputs_unlocked(text, stdout);
	fputs_unlocked("  ", stdout);
}

void vmsi_table_write_figures(const struct vmsi_table *table,
			      const struct vmsi_figures *figures)
{
	for (size_t i = 0; i < table->view->column_count; i++)
		write_cell(table->widths[i], cell(table, i, figures).text);
}
