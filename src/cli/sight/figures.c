/* SPDX-License-Identifier: MIT */
#include "cli/sight/figures.h"

#include <string.h>

const struct vmsi_column_info vmsi_columns[VMSI_COLUMNS] = {
	[VMSI_SIZE] = { "size", "SIZE", false, false },
	[VMSI_RESERVED] = { "reserved", "RESERVED", false, false },
	[VMSI_WRITABLE] = { "writable", "WRITABLE", false, false },
	[VMSI_COMMIT] = { "commit", "COMMIT", false, true },
	[VMSI_RESIDENT] = { "resident", "RESIDENT", false, true },
	[VMSI_ANONYMOUS] = { "anonymous", "ANON", false, true },
	[VMSI_FILE] = { "file", "FILE", false, true },
	[VMSI_PROPORTIONAL] = { "proportional", "PROP", false, true },
	[VMSI_SWAPPED] = { "swapped", "SWAPPED", false, true },
	[VMSI_HUGE] = { "huge", "HUGE", false, true },
	[VMSI_LOCKED] = { "locked", "LOCKED", false, true },
	[VMSI_MAPPINGS] = { "mappings", "MAPPINGS", true, false },
};

enum vmsi_column vmsi_column_find(const char *name, size_t length)
{
	enum vmsi_column column = 0;

	while (column < VMSI_COLUMNS &&
	       (strncmp(vmsi_columns[column].name, name, length) != 0 ||
		vmsi_columns[column].name[length] != '\0'))
		column++;
	return column;
}

void vmsi_figures_add(struct vmsi_figures *sum, const struct vmsi_figures *more)
{
	for (size_t i = 0; i < VMSI_COLUMNS; i++)
		sum->of[i] += more->of[i];
}

void vmsi_figures_take(struct vmsi_figures *sum, const struct vmsi_figures *less)
{
	for (size_t i = 0; i < VMSI_COLUMNS; i++)
		sum->of[i] -= less->of[i];
}
