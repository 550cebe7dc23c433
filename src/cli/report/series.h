/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_SERIES_H
#define VMSI_CLI_SERIES_H

#include "cli/report/report.h"

/* What owners had over a part of a recording, in as many columns as a line shows. */

#define VMSI_SERIES_COLUMNS 24

/*
 * What one owner has; or, of processes that are many and have one name, all owners of one
 * kind and name together.
 */
struct vmsi_series_row {
	uint32_t owner;   /* the first */
	size_t processes; /* how many of the part have it */
	uint64_t before;  /* where the part begins */
	uint64_t after;   /* where it ends, or where its last process has ended before */
	uint64_t largest; /* of all that it had in between */
	uint64_t largest_at;
	uint64_t columns[VMSI_SERIES_COLUMNS]; /* the largest in each */
	uint64_t now;     /* while it is made: what it has */
	uint64_t ended, ended_at; /* and what processes had that ended at a time */
};

struct vmsi_series {
	/*
	 * Whether the figures are of resident memory; where nothing tells of pages they
	 * are of commit.
	 */
	bool has_pages;
	struct vmsi_series_row total;
	struct vmsi_series_row *rows; /* who grew most first */
	size_t count;
};

/* Returns 0, and the caller frees the series; or -ENOMEM. */
int vmsi_series_make(struct vmsi_series *series,
		     const struct vmsi_report_view *view);
void vmsi_series_free(struct vmsi_series *series);

static inline int64_t vmsi_series_growth(const struct vmsi_series_row *row)
{
	return (int64_t)(row->after - row->before);
}

#endif
