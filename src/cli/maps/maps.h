/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_MAPS_H
#define VMSI_CLI_MAPS_H

#include "cli/command.h"
#include "cli/sight/difference.h"
#include "cli/sight/find.h"
#include "text/size.h"

/* What 'vmspace maps' shows of the processes that it has read, and in which form. */

enum vmsi_maps_detail {
	VMSI_MAPS_OWNERS, /* a row an owner */
	VMSI_MAPS_ALL,    /* and its mappings below it */
	VMSI_MAPS_LIST,   /* a row a mapping, in ascending order of address */
	VMSI_MAPS_TOTAL,  /* a row a process */
};

struct vmsi_maps_view {
	enum { VMSI_MAPS_TEXT, VMSI_MAPS_JSON } form;
	enum vmsi_maps_detail detail;
	enum vmsi_size_style style;
	unsigned what;                           /* VMSI_SEE_* */
	enum vmsi_column columns[VMSI_COLUMNS];  /* those that are shown */
	size_t column_count;
	enum vmsi_column sort;                   /* VMSI_COLUMNS: by name */
	bool is_sorted, is_ascending;
	bool is_difference;                      /* figures may be below 0 */
	const char *filter;                      /* NULL: none */
};

/* Take the columns of a list "size,commit", or "all". False: one is not known. */
bool vmsi_maps_take_columns(struct vmsi_maps_view *view, const char *list);
/* Take a column, or "name"; with '-' in front, the other way round. */
bool vmsi_maps_take_sort(struct vmsi_maps_view *view, const char *name);
/* Choose what was not asked for. */
void vmsi_maps_complete_view(struct vmsi_maps_view *view);
/* Whether what bounds the commit of a process is shown. */
bool vmsi_maps_shows_bounds(const struct vmsi_maps_view *view);

/*
 * Read processes, and their bounds where these are shown. What could not be read is told,
 * and left out.
 */
enum vmsi_exit vmsi_maps_see(const struct vmsi_maps_view *view,
			     const struct vmsi_finds *finds,
			     struct vmsi_seen_processes *processes);
enum vmsi_exit vmsi_maps_complain_of_memory(void);

/* The owners that are shown, in their order, and what they have together. */
struct vmsi_maps_choice {
	const struct vmsi_owner **owners;
	size_t count;
	struct vmsi_figures total;
	/*
	 * The mappings by owner, where they were kept: of owner number i those at
	 * starts[i] to starts[i + 1] of order.
	 */
	size_t *order, *starts;
};

/* The order of two rows by the column that they are sorted by: below 0, 0, above. */
int vmsi_maps_compare(const struct vmsi_maps_view *view, const struct vmsi_figures *a,
		      const struct vmsi_figures *b);

/* Whether an owner is shown. */
bool vmsi_maps_shows(const struct vmsi_maps_view *view,
		     const struct vmsi_owner *owner);
/* Returns 0, and the caller frees the choice, or -ENOMEM. */
int vmsi_maps_choose(const struct vmsi_maps_view *view,
		     const struct vmsi_process *process,
		     struct vmsi_maps_choice *choice);
void vmsi_maps_free_choice(struct vmsi_maps_choice *choice);

/* Both stop when a write to standard output has failed. Return 0 or -ENOMEM. */
int vmsi_maps_write_text(const struct vmsi_maps_view *view,
			 const struct vmsi_seen_processes *processes);
int vmsi_maps_write_json(const struct vmsi_maps_view *view,
			 const struct vmsi_seen_processes *processes);

extern const struct vmsi_command vmsi_command_maps;

#endif
