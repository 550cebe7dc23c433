/* SPDX-License-Identifier: MIT */
#include "cli/top/model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "text/number.h"

/* Rows become lines: sorted, as a tree, filtered, folded. */

#define NOBODY SIZE_MAX
#define DEEPEST 63 /* what is deeper is drawn so */

struct ordering {
	struct vmsi_top_model *model;
	size_t *sorted;      /* numbers of rows, in the order of the choice */
	size_t *parents;     /* of each row, or NOBODY; of a list always NOBODY */
	size_t *children;    /* the first child of each row, then its siblings */
	size_t *siblings;
	bool *is_kept;       /* by the filter */
	bool *is_done;
	size_t *walked;      /* rows, parents first */
	size_t walked_count;
	struct vmsi_top_figures *sums; /* of each row and all below it */
	struct vmsi_top_line *lines;
	size_t line_count;
};

/* --- sorting ----------------------------------------------------------------------- */

static int compare_values(const struct vmsi_top_row *one,
			  const struct vmsi_top_row *other,
			  enum vmsi_top_column sort)
{
	const bool knows = vmsi_top_is_known(&one->figures, sort);
	const int64_t first = one->figures.of[sort], second = other->figures.of[sort];

	/* What is not known comes last. */
	if (knows != vmsi_top_is_known(&other->figures, sort))
		return knows ? -1 : 1;
	return knows ? (first < second) - (first > second) : 0;
}

static int compare(const void *first, const void *second, void *context)
{
	const struct vmsi_top_model *model = context;
	const struct vmsi_top_row *one = &model->rows[*(const size_t *)first];
	const struct vmsi_top_row *other = &model->rows[*(const size_t *)second];
	const enum vmsi_top_column sort = model->choice.sort;
	int order = 0;

	if (sort < VMSI_TOP_COLUMNS)
		order = compare_values(one, other, sort);
	else if (sort == VMSI_TOP_NAME)
		order = strcmp(one->name, other->name);
	if (order == 0)
		order = vmsi_top_compare_id(one->id, other->id);
	return model->choice.is_reversed ? -order : order;
}

/* --- the tree ---------------------------------------------------------------------- */

/* Rows are in ascending order of their numbers. */
static size_t find_row(const struct vmsi_top_model *model, uint64_t number)
{
	size_t low = 0, high = model->count;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;

		if (model->rows[middle].id.number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low < model->count && model->rows[low].id.number == number ? low :
		NOBODY;
}

static void link_tree(struct ordering *ordering)
{
	const struct vmsi_top_model *model = ordering->model;

	for (size_t i = 0; i < model->count; i++) {
		ordering->parents[i] = ordering->children[i] = NOBODY;
		if (model->choice.is_tree && !model->rows[i].kind)
			ordering->parents[i] = find_row(model, model->rows[i].parent);
		if (ordering->parents[i] == i)
			ordering->parents[i] = NOBODY;
	}
	/* From the last on, so that each list begins with the first. */
	for (size_t i = model->count; i-- > 0;) {
		const size_t row = ordering->sorted[i];
		const size_t parent = ordering->parents[row];

		if (parent == NOBODY)
			continue;
		ordering->siblings[row] = ordering->children[parent];
		ordering->children[parent] = row;
	}
}

static void walk_from(struct ordering *ordering, size_t top)
{
	size_t at = top;

	while (at != NOBODY) {
		ordering->is_done[at] = true;
		ordering->walked[ordering->walked_count++] = at;
		if (ordering->children[at] != NOBODY &&
		    !ordering->is_done[ordering->children[at]]) {
			at = ordering->children[at];
			continue;
		}
		while (at != top && (ordering->siblings[at] == NOBODY ||
				     ordering->is_done[ordering->siblings[at]]))
			at = ordering->parents[at];
		at = at == top ? NOBODY : ordering->siblings[at];
	}
}

/*
 * Numbers that were used again between two reads may make a circle of parents, which
 * no root leads to: one of its rows is then made a root, so that none is missing.
 */
static void walk(struct ordering *ordering)
{
	const size_t count = ordering->model->count;

	for (size_t i = 0; i < count; i++)
		if (ordering->parents[ordering->sorted[i]] == NOBODY)
			walk_from(ordering, ordering->sorted[i]);
	for (size_t i = 0; i < count; i++) {
		const size_t row = ordering->sorted[i];
		const size_t parent = ordering->parents[row];
		size_t *link;

		if (ordering->is_done[row])
			continue;
		for (link = &ordering->children[parent]; *link != row;
		     link = &ordering->siblings[*link])
			;
		*link = ordering->siblings[row];
		ordering->siblings[row] = NOBODY;
		ordering->parents[row] = NOBODY;
		walk_from(ordering, row);
	}
}

/* --- the filter -------------------------------------------------------------------- */

static bool matches(const struct vmsi_top_row *row, const char *filter)
{
	struct vmsi_digits digits;

	if (filter[0] == '\0' || strcasestr(row->name, filter) ||
	    (row->command && strcasestr(row->command, filter)))
		return true;
	return !row->kind &&
		strcmp(vmsi_write_digits(&digits, row->id.number, 10), filter) == 0;
}

/* In a tree, who is above a row that matches stays. */
static void keep(struct ordering *ordering)
{
	const struct vmsi_top_model *model = ordering->model;

	for (size_t i = 0; i < model->count; i++)
		if (matches(&model->rows[i], model->choice.filter))
			for (size_t at = i; at != NOBODY && !ordering->is_kept[at];
			     at = ordering->parents[at])
				ordering->is_kept[at] = true;
}

/* --- lines ------------------------------------------------------------------------- */

static void add_up(struct ordering *ordering)
{
	for (size_t i = 0; i < ordering->model->count; i++)
		vmsi_top_add(&ordering->sums[i], &ordering->model->rows[i].figures);
	/* Children come after their parents. */
	for (size_t i = ordering->walked_count; i-- > 0;) {
		const size_t row = ordering->walked[i];

		if (ordering->parents[row] != NOBODY)
			vmsi_top_add(&ordering->sums[ordering->parents[row]],
				     &ordering->sums[row]);
	}
}

static size_t first_kept(const struct ordering *ordering, size_t row)
{
	while (row != NOBODY && !ordering->is_kept[row])
		row = ordering->siblings[row];
	return row;
}

/* above: the line of the parent; NULL for a root. */
static void add_line(struct ordering *ordering, size_t row,
		     const struct vmsi_top_line *above)
{
	const struct vmsi_top_row *of = &ordering->model->rows[row];
	struct vmsi_top_line *line = &ordering->lines[ordering->line_count++];
	const bool has_children = first_kept(ordering, ordering->children[row]) != NOBODY;

	*line = (struct vmsi_top_line){
		.row = of,
		.figures = of->is_folded && has_children ? ordering->sums[row] :
			of->figures,
		.has_children = has_children,
	};
	if (!above)
		return;
	line->depth = above->depth < DEEPEST ? above->depth + 1 : DEEPEST;
	line->is_last = first_kept(ordering, ordering->siblings[row]) == NOBODY;
	line->rails = above->rails;
	if (above->depth && !above->is_last)
		line->rails |= UINT64_C(1) << above->depth;
}

/* Rows whose parent has no line, or is folded, have none themselves. */
static void make_lines(struct ordering *ordering, size_t *line_of)
{
	for (size_t i = 0; i < ordering->walked_count; i++) {
		const size_t row = ordering->walked[i];
		const size_t parent = ordering->parents[row];
		const struct vmsi_top_line *above = NULL;

		line_of[row] = NOBODY;
		if (!ordering->is_kept[row])
			continue;
		if (parent != NOBODY) {
			if (line_of[parent] == NOBODY ||
			    ordering->model->rows[parent].is_folded)
				continue;
			above = &ordering->lines[line_of[parent]];
		}
		line_of[row] = ordering->line_count;
		add_line(ordering, row, above);
	}
}

/* --- all of it --------------------------------------------------------------------- */

static bool get_memory(struct ordering *ordering)
{
	const size_t count = ordering->model->count + 1;

	ordering->sorted = calloc(count, sizeof(size_t));
	ordering->parents = calloc(count, sizeof(size_t));
	ordering->children = calloc(count, sizeof(size_t));
	ordering->siblings = calloc(count, sizeof(size_t));
	ordering->walked = calloc(count, sizeof(size_t));
	ordering->is_kept = calloc(count, sizeof(bool));
	ordering->is_done = calloc(count, sizeof(bool));
	ordering->sums = calloc(count, sizeof(*ordering->sums));
	ordering->lines = calloc(count, sizeof(*ordering->lines));
	return ordering->sorted && ordering->parents && ordering->children &&
		ordering->siblings && ordering->walked && ordering->is_kept &&
		ordering->is_done && ordering->sums && ordering->lines;
}

static void free_memory(struct ordering *ordering)
{
	free(ordering->sorted);
	free(ordering->parents);
	free(ordering->children);
	free(ordering->siblings);
	free(ordering->walked);
	free(ordering->is_kept);
	free(ordering->is_done);
	free(ordering->sums);
	free(ordering->lines);
}

static void order_rows(struct ordering *ordering)
{
	struct vmsi_top_model *model = ordering->model;

	for (size_t i = 0; i < model->count; i++) {
		ordering->sorted[i] = i;
		ordering->siblings[i] = NOBODY;
	}
	qsort_r(ordering->sorted, model->count, sizeof(size_t), compare, model);
	link_tree(ordering);
	walk(ordering);
	keep(ordering);
	add_up(ordering);
	/* The order is used up, and has a place for each row. */
	make_lines(ordering, ordering->sorted);
}

int vmsi_top_order(struct vmsi_top_model *model)
{
	struct ordering ordering = { .model = model };
	struct vmsi_top_line *old = model->lines;

	if (!get_memory(&ordering)) {
		free_memory(&ordering);
		return -ENOMEM;
	}
	order_rows(&ordering);
	model->lines = ordering.lines;
	model->line_count = ordering.line_count;
	ordering.lines = old;
	free_memory(&ordering);
	return 0;
}
