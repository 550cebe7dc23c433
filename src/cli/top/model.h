/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_TOP_MODEL_H
#define VMSI_CLI_TOP_MODEL_H

#include "cli/top/sample.h"
#include "text/size.h"

/*
 * What is shown: rows that live from sample to sample, with rates and a history, and
 * the lines that are made of them by sorting, filtering and folding. It is pure: it
 * reads no file, no clock and no terminal.
 */

#define VMSI_TOP_HISTORY 32

struct vmsi_top_row {
	struct vmsi_top_id id;
	uint64_t parent;
	char *name;
	char *command;       /* the command line, or NULL */
	const char *kind;    /* NULL: a process */
	bool is_deleted;
	bool is_folded;      /* the tree below it */
	bool is_shown;       /* it stands on the screen */
	bool counts_faults;
	uint64_t minor, major;
	struct vmsi_top_figures figures;
	/* What grows: resident memory, or where that is not read what is writable. */
	int64_t history[VMSI_TOP_HISTORY];
	unsigned moments;    /* how many there are; the oldest first */
};

/* A row as it is shown. */
struct vmsi_top_line {
	const struct vmsi_top_row *row;
	struct vmsi_top_figures figures; /* of a folded row: with all below it */
	unsigned depth;       /* in the tree */
	uint64_t rails;       /* a bit for each depth at which more comes below */
	bool has_children, is_last;
};

/* Which processes there are rows for. */
enum vmsi_top_scope {
	VMSI_TOP_ALL,
	VMSI_TOP_TREE,        /* root and its descendants */
	VMSI_TOP_DESCENDANTS, /* its descendants alone */
};

/* How the rows become lines. */
struct vmsi_top_choice {
	enum vmsi_top_column sort;
	bool is_reversed;     /* the smallest first */
	bool is_tree;
	bool wants_commands;  /* command lines in place of names, of who is shown */
	enum vmsi_size_style sizes;
	char filter[64];      /* a part of the name, or the number; "" for all */
};

struct vmsi_top_model {
	enum vmsi_top_scope scope;
	uint64_t root;
	struct vmsi_top_choice choice;
	bool is_frozen;

	bool has_sample;
	uint64_t at;
	double seconds;       /* between the last two samples; 0 after the first */
	struct vmsi_top_machine machine;
	struct vmsi_top_limit limit;
	bool has_ended;
	size_t untold;
	struct vmsi_top_figures total; /* of all rows */
	uint32_t known;                /* columns that a row has, or will have */

	uint64_t root_born;
	bool has_root;
	struct vmsi_top_row *rows; /* in ascending order of id */
	size_t count;
	struct vmsi_top_line *lines;
	size_t line_count;
};

/*
 * Sort a sample, and take out of it who is not in the scope of the model. Tells of those
 * that are left whether they are shown. Returns 0 or -ENOMEM.
 */
int vmsi_top_sift(const struct vmsi_top_model *model, struct vmsi_top_sample *sample);

/* The lines from first on, of which there are so many, stand on the screen. */
void vmsi_top_note_shown(struct vmsi_top_model *model, size_t first, size_t count);

/*
 * Take a sample that was sifted. What a row had is kept: folds, history.
 * One of a frozen model is left. Returns 0, or -ENOMEM and all is as it was.
 */
int vmsi_top_take(struct vmsi_top_model *model, struct vmsi_top_sample *sample);

/* Make the lines anew. Returns 0, or -ENOMEM and the lines are as they were. */
int vmsi_top_order(struct vmsi_top_model *model);

/* Fold or unfold a row, or all of them; the lines are to be made anew. */
void vmsi_top_fold(struct vmsi_top_model *model, struct vmsi_top_id id, bool fold);
void vmsi_top_fold_all(struct vmsi_top_model *model, bool fold);

void vmsi_top_free(struct vmsi_top_model *model);

static inline int vmsi_top_compare_id(struct vmsi_top_id one,
				      struct vmsi_top_id other)
{
	if (one.number != other.number)
		return one.number < other.number ? -1 : 1;
	return (one.born > other.born) - (one.born < other.born);
}

#endif
