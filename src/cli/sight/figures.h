/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_FIGURES_H
#define VMSI_CLI_FIGURES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The figures of memory: of a mapping, of an owner, of a process. Each has the same
 * ones, so that they are added, sorted, compared and written by one table.
 */

enum vmsi_column {
	VMSI_SIZE,
	VMSI_RESERVED,
	VMSI_WRITABLE,
	VMSI_COMMIT,
	VMSI_RESIDENT,
	VMSI_ANONYMOUS,
	VMSI_FILE,
	VMSI_PROPORTIONAL,
	VMSI_SWAPPED,
	VMSI_HUGE,
	VMSI_LOCKED,
	VMSI_MAPPINGS,
	VMSI_COLUMNS,
};

struct vmsi_figures {
	uint64_t of[VMSI_COLUMNS];
};

struct vmsi_column_info {
	const char *name;    /* in options and in JSON */
	const char *heading;
	bool is_count;       /* and not bytes */
	bool needs_pages;    /* told by a walk over the process's pages */
};

extern const struct vmsi_column_info vmsi_columns[VMSI_COLUMNS];

/* Returns the column of that name; VMSI_COLUMNS where there is none. */
enum vmsi_column vmsi_column_find(const char *name, size_t length);

/*
 * The sum over all processes of a machine fits; differences, which may be below 0,
 * wrap around.
 */
void vmsi_figures_add(struct vmsi_figures *sum, const struct vmsi_figures *more);
void vmsi_figures_take(struct vmsi_figures *sum, const struct vmsi_figures *less);

#endif
