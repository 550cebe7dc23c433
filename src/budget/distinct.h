/* SPDX-License-Identifier: MIT */
#ifndef VMSI_BUDGET_DISTINCT_H
#define VMSI_BUDGET_DISTINCT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "budget/shared.h"

/*
 * A sum over objects of many slots that counts each object once, with the
 * largest value that any of them has for it.
 */
struct vmsi_distinct {
	const struct vmsi_budget_object *all; /* that indices are into */
	uint32_t *table;                      /* index + 1 by hash; 0: none */
	size_t mask;                          /* entries of the table, less 1 */
	size_t sum;
};

/* Entries of the table of any sum. */
#define VMSI_DISTINCT_ENTRIES \
	((size_t)VMSI_BUDGET_SLOTS * VMSI_BUDGET_OBJECTS)
#define VMSI_DISTINCT_BYTES (VMSI_DISTINCT_ENTRIES * sizeof(uint32_t))

/* What an object counts with. */
enum vmsi_object_value {
	VMSI_OBJECT_CHARGED,  /* bytes */
	VMSI_OBJECT_CLAIMED,  /* bytes, or what is asked for where that is more */
};

size_t vmsi_object_value(const struct vmsi_budget_object *object,
			 enum vmsi_object_value value);

/* Memory for the table of any sum, zeroed; NULL: none. */
uint32_t *vmsi_distinct_table(void);
void vmsi_distinct_free(uint32_t *table);

/* Begin a sum over about count objects in all, and use the table for it. */
void vmsi_distinct_begin(struct vmsi_distinct *distinct, uint32_t *table,
			 const struct vmsi_budget_object *all, size_t count);

/* Add an object whose value is not 0. */
void vmsi_distinct_add(struct vmsi_distinct *distinct, uint32_t index,
		       enum vmsi_object_value value);

#endif
