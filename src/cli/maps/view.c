/* SPDX-License-Identifier: MIT */
#include "cli/maps/maps.h"

#include <string.h>

static const enum vmsi_column without_pages[] = {
	VMSI_SIZE, VMSI_RESERVED, VMSI_WRITABLE, VMSI_MAPPINGS,
};

static const enum vmsi_column with_pages[] = {
	VMSI_SIZE, VMSI_RESERVED, VMSI_COMMIT, VMSI_ANONYMOUS, VMSI_FILE,
	VMSI_PROPORTIONAL, VMSI_SWAPPED, VMSI_MAPPINGS,
};

static void add_column(struct vmsi_maps_view *view, enum vmsi_column column)
{
	for (size_t i = 0; i < view->column_count; i++)
		if (view->columns[i] == column)
			return;
	view->columns[view->column_count++] = column;
	if (vmsi_columns[column].needs_pages)
		view->what |= VMSI_SEE_PAGES;
}

bool vmsi_maps_take_columns(struct vmsi_maps_view *view, const char *list)
{
	view->column_count = 0;
	if (strcmp(list, "all") == 0) {
		for (enum vmsi_column i = 0; i < VMSI_COLUMNS; i++)
			add_column(view, i);
		return true;
	}
	for (;;) {
		const size_t length = strcspn(list, ",");
		const enum vmsi_column column = vmsi_column_find(list, length);

		if (column == VMSI_COLUMNS)
			return false;
		add_column(view, column);
		if (list[length] == '\0')
			return true;
		list += length + 1;
	}
}

bool vmsi_maps_take_sort(struct vmsi_maps_view *view, const char *name)
{
	const bool is_turned = name[0] == '-';

	name += is_turned;
	view->sort = vmsi_column_find(name, strlen(name));
	if (view->sort == VMSI_COLUMNS && strcmp(name, "name") != 0)
		return false;
	/* What is most comes first, and names from A to Z. */
	view->is_sorted = true;
	view->is_ascending = (view->sort == VMSI_COLUMNS) != is_turned;
	if (view->sort < VMSI_COLUMNS && vmsi_columns[view->sort].needs_pages)
		view->what |= VMSI_SEE_PAGES;
	return true;
}

static void take_usual_columns(struct vmsi_maps_view *view)
{
	const bool has_pages = (view->what & VMSI_SEE_PAGES) != 0;
	const enum vmsi_column *const usual = has_pages ? with_pages : without_pages;
	const size_t count = has_pages ?
		sizeof(with_pages) / sizeof(with_pages[0]) :
		sizeof(without_pages) / sizeof(without_pages[0]);

	for (size_t i = 0; i < count; i++)
		add_column(view, usual[i]);
}

void vmsi_maps_complete_view(struct vmsi_maps_view *view)
{
	if (view->column_count == 0)
		take_usual_columns(view);
	if (!view->is_sorted)
		view->sort = view->what & VMSI_SEE_PAGES ? VMSI_RESIDENT :
							   VMSI_WRITABLE;
	if (view->detail == VMSI_MAPS_ALL || view->detail == VMSI_MAPS_LIST)
		view->what |= VMSI_SEE_MAPPINGS;
}

bool vmsi_maps_shows_bounds(const struct vmsi_maps_view *view)
{
	return view->detail != VMSI_MAPS_TOTAL && !view->is_difference;
}
