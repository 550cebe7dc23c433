/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_SWEEP_TABLE_H
#define VMSI_CLI_SWEEP_TABLE_H

#include "cli/sweep/sweep.h"
#include "cli/sweep/sweep_symbols.h"
#include "failing/failing.h"

/*
 * The stacks from which the program allocates, as its good run has recorded them. The
 * program could write to the record: what is no stack there is left out.
 */
struct vmsi_sweep_table {
	struct vmsi_sweep_stack {
		struct vmsi_failing_stack stack;
		char *backtrace; /* NULL: not asked for yet */
		size_t turn;     /* in which it is tried */
	} *list;
	size_t count;
	const struct vmsi_failing_memory *memory;
	struct vmsi_sweep_symbols *symbols;
};

/* binary is the program's file. Returns 0 or -ENOMEM. */
int vmsi_sweep_table_read(struct vmsi_sweep_table *table,
			  const struct vmsi_failing_memory *memory,
			  const char *binary);

/*
 * Keep only the stacks that pass through a library and a function; NULL: any. Then
 * put them in the order in which they are tried: one of each call of malloc first, since
 * what comes of a failure depends most on who allocates, then one of each place, then
 * another one of each. Among these, those that the program calls least come first, and
 * otherwise as they came.
 */
void vmsi_sweep_table_choose(struct vmsi_sweep_table *table,
			     const char *library, const char *function);

/* The backtrace of a stack, by its hash; "" where it is not in the table. */
char *vmsi_sweep_table_backtrace(struct vmsi_sweep_table *table, uint64_t hash);

#endif
