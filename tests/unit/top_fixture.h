/* SPDX-License-Identifier: MIT */
#ifndef VMS_TEST_TOP_FIXTURE_H
#define VMS_TEST_TOP_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cli/top/model.h"

/* Samples that nothing was read for, and a model that takes them. */

#define SECOND UINT64_C(1000000000)
#define MOST 64

static struct vmsi_top_entry entries[MOST];
static struct vmsi_top_sample sample = { .list = entries, .capacity = MOST };
static struct vmsi_top_model model;

/* A model without rows, and a sample without entries, a second later each time. */
static inline void begin(void)
{
	vmsi_top_free(&model);
	model = (struct vmsi_top_model){ .choice.sort = VMSI_TOP_RESIDENT };
	sample.count = 0;
	sample.at = 100 * SECOND;
}

static inline struct vmsi_top_entry *process(uint64_t number, uint64_t parent,
					     const char *name, int64_t resident)
{
	struct vmsi_top_entry *entry = &entries[sample.count++];

	assert_true(sample.count <= MOST);
	*entry = (struct vmsi_top_entry){
		.id = { number, 1000 + number }, .parent = parent, .name = name,
		.counts_faults = true,
	};
	vmsi_top_set(&entry->figures, VMSI_TOP_RESIDENT, resident);
	return entry;
}

static inline void take(void)
{
	assert_int_equal(vmsi_top_sift(&model, &sample), 0);
	assert_int_equal(vmsi_top_take(&model, &sample), 0);
	assert_int_equal(vmsi_top_order(&model), 0);
	sample.count = 0;
	sample.at += SECOND;
}

static inline const struct vmsi_top_line *line(size_t at)
{
	assert_true(at < model.line_count);
	return &model.lines[at];
}

/* The names of all lines, each behind as many dots as it is deep in the tree. */
static inline const char *names(void)
{
	static char text[1024];

	text[0] = '\0';
	for (size_t i = 0; i < model.line_count; i++) {
		if (i)
			strcat(text, " ");
		for (unsigned depth = 0; depth < line(i)->depth; depth++)
			strcat(text, ".");
		strcat(text, line(i)->row->name);
	}
	return text;
}

static inline int64_t figure(size_t at, enum vmsi_top_column column)
{
	assert_true(vmsi_top_is_known(&line(at)->figures, column));
	return line(at)->figures.of[column];
}

#endif
