/* SPDX-License-Identifier: MIT */
#ifndef VMSI_BUDGET_DISTINCT_H
#define VMSI_BUDGET_DISTINCT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "budget/shared.h"

/*
 * A sum over the objects of many slots, which counts each object once, with the
 * largest value that a slot has for it.
 */
struct vmsi_distinct {
	const struct vmsi_budget_object *all;
	uint32_t *table;                      /* index + 1, by hash; 0: none */
	size_t mask;                          /* entries of the table, less 1 */
	size_t sum;
};

/* The size of a table, enough for every sum. */
#define VMSI_DISTINCT_ENTRIES \
	((size_t)VMSI_BUDGET_SLOTS * VMSI_BUDGET_OBJECTS)
#define VMSI_DISTINCT_BYTES (VMSI_DISTINCT_ENTRIES * sizeof(uint32_t))

/* Which figure of an object a sum takes. */
enum vmsi_object_value {
	VMSI_OBJECT_CHARGED,  /* what is charged */
	VMSI_OBJECT_CLAIMED,  /* what is asked for, if that is more */
};

size_t vmsi_object_value(const struct vmsi_budget_object *object,
			 enum vmsi_object_value value);

/* Map a table; NULL: no memory. */
uint32_t *vmsi_distinct_table(void);
void vmsi_distinct_free(uint32_t *table);

/* Begin a sum of about count objects of all, by means of a table. */
void vmsi_distinct_begin(struct vmsi_distinct *distinct, uint32_t *table,
			 const struct vmsi_budget_object *all, size_t count);

/* Add all[index], whose value is not 0. */
void vmsi_distinct_add(struct vmsi_distinct *distinct, uint32_t index,
		       enum vmsi_object_value value);

#endif
