/* SPDX-License-Identifier: MIT */
#include "cli/top/model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/top/members.h"

/* Rows are in ascending order of id, and so is a sample: one pass joins them. */

static int compare_entries(const void *first, const void *second)
{
	const struct vmsi_top_entry *one = first, *other = second;
	const int order = vmsi_top_compare_id(one->id, other->id);

	/* Two owners may have one hash. */
	return order ? order : strcmp(one->name, other->name);
}

static int compare_row(const struct vmsi_top_row *row,
		       const struct vmsi_top_entry *entry)
{
	const int order = vmsi_top_compare_id(row->id, entry->id);

	/* A process may change its name, and stays the same. */
	return order || !entry->kind ? order : strcmp(row->name, entry->name);
}

/* --- rates and history ------------------------------------------------------------ */

static bool tells_growth(const struct vmsi_top_figures *figures, int64_t *value)
{
	const enum vmsi_top_column column =
		vmsi_top_is_known(figures, VMSI_TOP_RESIDENT) ? VMSI_TOP_RESIDENT :
		VMSI_TOP_WRITABLE;

	*value = figures->of[column];
	return vmsi_top_is_known(figures, column);
}

static int64_t rate(int64_t difference, double seconds)
{
	const double each = (double)difference / seconds;

	return (int64_t)(each < 0 ? each - .5 : each + .5);
}

/* Faults that are fewer than before are those of somebody else: no rate is told. */
static void set_fault_rates(struct vmsi_top_row *row, uint64_t minor,
			    uint64_t major, double seconds)
{
	if (row->minor < minor || row->major < major)
		return;
	vmsi_top_set(&row->figures, VMSI_TOP_MINOR,
		     rate((int64_t)(row->minor - minor), seconds));
	vmsi_top_set(&row->figures, VMSI_TOP_MAJOR,
		     rate((int64_t)(row->major - major), seconds));
}

static void set_rates(struct vmsi_top_row *row, const struct vmsi_top_row *before,
		      double seconds)
{
	int64_t now, then;

	if (seconds <= 0)
		return;
	if (row->counts_faults && before->counts_faults)
		set_fault_rates(row, before->minor, before->major, seconds);
	if (tells_growth(&row->figures, &now) && before->moments) {
		then = before->history[before->moments - 1];
		vmsi_top_set(&row->figures, VMSI_TOP_GROWTH,
			     rate(now - then, seconds));
	}
}

static void remember(struct vmsi_top_row *row)
{
	int64_t value;

	if (!tells_growth(&row->figures, &value))
		return;
	if (row->moments == VMSI_TOP_HISTORY) {
		memmove(row->history, row->history + 1,
			(VMSI_TOP_HISTORY - 1) * sizeof(row->history[0]));
		row->moments--;
	}
	row->history[row->moments++] = value;
}

/* --- rows ----------------------------------------------------------------------- */

static void free_names(struct vmsi_top_row *row)
{
	free(row->name);
	free(row->command);
}

/* Everything but the names, which are the caller's to copy. */
static struct vmsi_top_row row_of(const struct vmsi_top_entry *entry)
{
	return (struct vmsi_top_row){
		.id = entry->id,
		.parent = entry->parent,
		.kind = entry->kind,
		.is_deleted = entry->is_deleted,
		.counts_faults = entry->counts_faults,
		.minor = entry->minor,
		.major = entry->major,
		.figures = entry->figures,
	};
}

/* before: the row of the last sample, or NULL. Returns 0 or -ENOMEM. */
static int make_row(struct vmsi_top_row *row, const struct vmsi_top_entry *entry,
		    const struct vmsi_top_row *before, double seconds)
{
	*row = row_of(entry);
	row->name = strdup(entry->name);
	row->command = entry->command ? strdup(entry->command) : NULL;
	if (!row->name || (entry->command && !row->command)) {
		free_names(row);
		return -ENOMEM;
	}
	if (before) {
		row->is_folded = before->is_folded;
		row->moments = before->moments;
		memcpy(row->history, before->history, sizeof(row->history));
		set_rates(row, before, seconds);
	}
	remember(row);
	return 0;
}

static void free_rows(struct vmsi_top_row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free_names(&rows[i]);
	free(rows);
}

/* Returns the new rows, of which there is one for each entry; NULL without memory. */
static struct vmsi_top_row *join(const struct vmsi_top_model *model,
				 const struct vmsi_top_sample *sample,
				 double seconds)
{
	struct vmsi_top_row *rows = calloc(sample->count + 1, sizeof(*rows));
	size_t old = 0;

	if (!rows)
		return NULL;
	for (size_t i = 0; i < sample->count; i++) {
		const struct vmsi_top_entry *entry = &sample->list[i];
		bool is_same;

		while (old < model->count &&
		       compare_row(&model->rows[old], entry) < 0)
			old++;
		is_same = old < model->count &&
			compare_row(&model->rows[old], entry) == 0;
		if (make_row(&rows[i], entry, is_same ? &model->rows[old] : NULL,
			     seconds)) {
			free_rows(rows, i);
			return NULL;
		}
	}
	return rows;
}

/*
 * Rates have columns from the first sample on, and so has the commit of processes; and no
 * column goes with the last row.
 */
static void sum_up(struct vmsi_top_model *model)
{
	model->total = (struct vmsi_top_figures){ 0 };
	model->known |= 1u << VMSI_TOP_GROWTH;
	for (size_t i = 0; i < model->count; i++) {
		vmsi_top_add(&model->total, &model->rows[i].figures);
		if (model->rows[i].counts_faults)
			model->known |= 1u << VMSI_TOP_MINOR | 1u << VMSI_TOP_MAJOR |
				1u << VMSI_TOP_COMMIT;
	}
	model->known |= model->total.known;
}

/* The root is the first process that is seen with its number. */
static void note_root(struct vmsi_top_model *model)
{
	for (size_t i = 0; !model->has_root && i < model->count; i++)
		if (model->rows[i].id.number == model->root) {
			model->root_born = model->rows[i].id.born;
			model->has_root = true;
		}
}

/* The root itself was kept, since its descendants are told by it. */
static void drop_root(struct vmsi_top_model *model)
{
	size_t kept = 0;

	for (size_t i = 0; i < model->count; i++)
		if (model->rows[i].id.number == model->root)
			free_names(&model->rows[i]);
		else
			model->rows[kept++] = model->rows[i];
	model->count = kept;
}

static void take_rest(struct vmsi_top_model *model,
		      const struct vmsi_top_sample *sample, double seconds)
{
	model->at = sample->at;
	model->seconds = seconds;
	model->machine = sample->machine;
	model->limit = sample->limit;
	model->has_ended = sample->has_ended;
	model->untold = sample->untold;
	model->has_sample = true;
}

/* --- samples ------------------------------------------------------------------------ */

/* Both are in order. */
static void tell_shown(const struct vmsi_top_model *model, struct vmsi_top_sample *sample)
{
	size_t at = 0;

	for (size_t i = 0; i < sample->count; i++) {
		struct vmsi_top_entry *entry = &sample->list[i];

		while (at < model->count && compare_row(&model->rows[at], entry) < 0)
			at++;
		entry->is_shown = at < model->count && model->rows[at].is_shown &&
			compare_row(&model->rows[at], entry) == 0;
	}
}

int vmsi_top_sift(const struct vmsi_top_model *model, struct vmsi_top_sample *sample)
{
	if (sample->count)
		qsort(sample->list, sample->count, sizeof(*sample->list),
		      compare_entries);
	if (vmsi_top_keep_members(model, sample))
		return -ENOMEM;
	tell_shown(model, sample);
	return 0;
}

void vmsi_top_note_shown(struct vmsi_top_model *model, size_t first, size_t count)
{
	for (size_t i = 0; i < model->count; i++)
		model->rows[i].is_shown = false;
	for (size_t i = first; i < model->line_count && i - first < count; i++)
		model->rows[model->lines[i].row - model->rows].is_shown = true;
}

int vmsi_top_take(struct vmsi_top_model *model, struct vmsi_top_sample *sample)
{
	const double seconds = model->has_sample && sample->at > model->at ?
		(double)(sample->at - model->at) / 1e9 : 0;
	struct vmsi_top_row *rows;

	if (model->is_frozen)
		return 0;
	rows = join(model, sample, seconds);
	if (!rows)
		return -ENOMEM;
	free_rows(model->rows, model->count);
	model->rows = rows;
	model->count = sample->count;
	/* They point to rows that are gone. */
	model->line_count = 0;
	note_root(model);
	if (model->scope == VMSI_TOP_DESCENDANTS)
		drop_root(model);
	take_rest(model, sample, seconds);
	sum_up(model);
	return 0;
}

/* --- folds ------------------------------------------------------------------------ */

void vmsi_top_fold(struct vmsi_top_model *model, struct vmsi_top_id id, bool fold)
{
	for (size_t i = 0; i < model->count; i++)
		if (vmsi_top_compare_id(model->rows[i].id, id) == 0)
			model->rows[i].is_folded = fold;
}

void vmsi_top_fold_all(struct vmsi_top_model *model, bool fold)
{
	for (size_t i = 0; i < model->count; i++)
		model->rows[i].is_folded = fold;
}

void vmsi_top_free(struct vmsi_top_model *model)
{
	free_rows(model->rows, model->count);
	free(model->lines);
	model->rows = NULL;
	model->lines = NULL;
	model->count = model->line_count = 0;
}
