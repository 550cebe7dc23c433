/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_TOP_COLUMNS_H
#define VMSI_CLI_TOP_COLUMNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The figures of a row: of a process, or of an owner within one. Which of them are
 * known differs; what was not read is not shown.
 */

enum vmsi_top_column {
	VMSI_TOP_COMMIT,
	VMSI_TOP_WRITABLE,
	VMSI_TOP_RESERVED,
	VMSI_TOP_RESIDENT,
	VMSI_TOP_ANONYMOUS,
	VMSI_TOP_FILE,
	VMSI_TOP_PROPORTIONAL,
	VMSI_TOP_SWAPPED,
	VMSI_TOP_MINOR,
	VMSI_TOP_MAJOR,
	VMSI_TOP_GROWTH,
	VMSI_TOP_MAPPINGS,
	VMSI_TOP_COLUMNS,
	/* Not figures, but rows are sorted by them as well. */
	VMSI_TOP_NUMBER = VMSI_TOP_COLUMNS,
	VMSI_TOP_NAME,
	VMSI_TOP_ORDERS,
};

enum vmsi_top_unit {
	VMSI_TOP_BYTES,
	VMSI_TOP_BYTES_A_SECOND, /* may be below 0 */
	VMSI_TOP_A_SECOND,
	VMSI_TOP_COUNT,
	VMSI_TOP_TEXT,           /* of NUMBER and NAME */
};

struct vmsi_top_column_info {
	const char *name;    /* in options and in JSON */
	const char *heading;
	enum vmsi_top_unit unit;
	unsigned rank;       /* on a narrow screen those of low rank stay */
	char key;            /* sorts by it */
	const char *help;
};

extern const struct vmsi_top_column_info vmsi_top_columns[VMSI_TOP_ORDERS];

/* Returns the column of that name; VMSI_TOP_ORDERS where there is none. */
enum vmsi_top_column vmsi_top_column_find(const char *name);

struct vmsi_top_figures {
	int64_t of[VMSI_TOP_COLUMNS];
	/* A bit for each column: */
	uint32_t known;
	uint32_t old;     /* known as it was when the mappings were other ones */
	uint32_t lacking; /* of a sum: it is not complete, and so not known */
};

static inline bool vmsi_top_is_known(const struct vmsi_top_figures *figures,
				     enum vmsi_top_column column)
{
	return column < VMSI_TOP_COLUMNS &&
		((figures->known & ~figures->lacking) >> column & 1);
}

/* Known as it was in this look. */
static inline bool vmsi_top_is_fresh(const struct vmsi_top_figures *figures,
				     enum vmsi_top_column column)
{
	return vmsi_top_is_known(figures, column) && !(figures->old >> column & 1);
}

static inline void vmsi_top_set(struct vmsi_top_figures *figures,
				enum vmsi_top_column column, int64_t value)
{
	figures->of[column] = value;
	figures->known |= 1u << column;
}

/*
 * What one of the two does not know counts as 0, but what a walk over pages tells: of
 * that the sum is not known.
 */
void vmsi_top_add(struct vmsi_top_figures *sum,
		  const struct vmsi_top_figures *more);

#endif
