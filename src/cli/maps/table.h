/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_TABLE_H
#define VMSI_CLI_TABLE_H

#include "cli/maps/maps.h"

/*
 * A table on standard output. A row has figures, whose columns are as wide as their
 * widest text, and then what the figures are of, which has no fixed width.
 */
struct vmsi_table {
	const struct vmsi_maps_view *view;
	int widths[VMSI_COLUMNS]; /* of the columns that are shown */
};

struct vmsi_table vmsi_table_begin(const struct vmsi_maps_view *view);
/* Make columns as wide as these figures need. */
void vmsi_table_widen(struct vmsi_table *table, const struct vmsi_figures *figures);
void vmsi_table_write_headings(const struct vmsi_table *table, const char *last);
/* Write all columns but the last, which the caller writes. */
void vmsi_table_write_figures(const struct vmsi_table *table,
			      const struct vmsi_figures *figures);

/* An amount as the view has it: in a difference, with its sign. */
struct vmsi_amount_text {
	char text[32];
};

struct vmsi_amount_text vmsi_amount_text(const struct vmsi_maps_view *view,
					 uint64_t amount, bool is_count);

#endif
