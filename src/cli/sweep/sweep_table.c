/* SPDX-License-Identifier: MIT */
#include "cli/sweep/sweep_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- reading -------------------------------------------------------------------- */

static bool is_stack(const struct vmsi_failing_stack *slot)
{
	return slot->hash && slot->ready && slot->count <= VMSI_FAILING_FRAMES &&
		slot->function < VMSI_FAILING_FUNCTIONS;
}

int vmsi_sweep_table_read(struct vmsi_sweep_table *table,
			  const struct vmsi_failing_memory *memory,
			  const char *binary)
{
	size_t count = 0;

	for (size_t i = 0; i < VMSI_FAILING_STACKS; i++)
		count += is_stack(&memory->stacks[i]);
	table->memory = memory;
	table->symbols = vmsi_sweep_symbols_open(binary);
	table->list = calloc(count + 1, sizeof *table->list);
	if (!table->symbols || !table->list)
		return -ENOMEM;
	/* Nobody writes any more; a process that has left the group could. */
	for (size_t i = 0; i < VMSI_FAILING_STACKS && table->count < count; i++) {
		struct vmsi_failing_stack *stack =
			&table->list[table->count].stack;

		*stack = memory->stacks[i];
		table->count += is_stack(stack);
	}
	return 0;
}

/* --- backtraces ---------------------------------------------------------------------- */

static char *backtrace_of(const struct vmsi_sweep_table *table,
			  struct vmsi_sweep_stack *one)
{
	if (!one->backtrace)
		one->backtrace = vmsi_sweep_symbols_backtrace(
			table->symbols, table->memory, &one->stack);
	return one->backtrace;
}

char *vmsi_sweep_table_backtrace(struct vmsi_sweep_table *table, uint64_t hash)
{
	static char none[1];

	for (size_t i = 0; i < table->count; i++)
		if (table->list[i].stack.hash == hash) {
			char *text = backtrace_of(table, &table->list[i]);

			return text ? text : none;
		}
	return none;
}

/* --- choosing -------------------------------------------------------------------------- */

#define ANONYMOUS "(anonymous namespace)"

/* Where in a line the parameters of a function, or of a template, begin. */
static const char *end_of_name(const char *line)
{
	line += strcspn(line, "(<\n");
	while (strncmp(line, ANONYMOUS, strlen(ANONYMOUS)) == 0) {
		line += strlen(ANONYMOUS);
		line += strcspn(line, "(<\n");
	}
	return line;
}

/*
 * Whether a line is of a function, which may be named without the namespaces and the
 * result that stand before it, and without the parameters behind it.
 */
static bool is_of_function(const char *line, const char *function)
{
	const size_t length = strlen(function);
	const char *end = end_of_name(line);

	for (const char *at = line; at < end || at == line; at++)
		if (strncmp(at, function, length) == 0 && at[length] &&
		    strchr(" \n(<", at[length]) &&
		    (at == line || strchr(" :*&", at[-1])))
			return true;
	return false;
}

static bool has_function(const char *backtrace, const char *function)
{
	for (const char *line = backtrace; line && *line;) {
		if (is_of_function(line, function))
			return true;
		line = strchr(line, '\n');
		line += line != NULL;
	}
	return false;
}

/* "libsqlite3" and "libsqlite3.so.0" both name libsqlite3.so.0. */
static bool has_library(const char *backtrace, const char *library)
{
	const size_t length = strlen(library);

	for (const char *at = backtrace; (at = strstr(at, " ("));) {
		at += 2;
		if (strncmp(at, library, length) == 0 &&
		    (at[length] == ')' || at[length] == '.'))
			return true;
	}
	return false;
}

static bool is_wanted(const struct vmsi_sweep_table *table,
		      struct vmsi_sweep_stack *one, const char *library,
		      const char *function)
{
	const char *backtrace;

	if (!library && !function)
		return true;
	backtrace = backtrace_of(table, one);
	return backtrace && (!library || has_library(backtrace, library)) &&
		(!function || has_function(backtrace, function));
}

static int compare_calls(const void *a, const void *b)
{
	const struct vmsi_failing_stack *one =
		&((const struct vmsi_sweep_stack *)a)->stack;
	const struct vmsi_failing_stack *two =
		&((const struct vmsi_sweep_stack *)b)->stack;

	if (one->calls != two->calls)
		return one->calls < two->calls ? -1 : 1;
	return (one->first > two->first) - (one->first < two->first);
}

/* The innermost frames of a place; that of a call is its own frame alone. */
enum { CALL = 1, PLACE = 3 };

/* Compare the innermost frames of stacks; where there are fewer, the others are 0. */
static int compare_innermost(const struct vmsi_failing_stack *one,
			     const struct vmsi_failing_stack *two,
			     unsigned frames)
{
	for (unsigned i = 0; i < frames; i++) {
		const uint64_t a = i < one->count ? one->frames[i] : 0;
		const uint64_t b = i < two->count ? two->frames[i] : 0;

		if (a != b)
			return a < b ? -1 : 1;
	}
	return (one->function > two->function) - (one->function < two->function);
}

static int compare_by_call(const void *a, const void *b)
{
	const struct vmsi_sweep_stack *one = a, *two = b;
	const int order = compare_innermost(&one->stack, &two->stack, CALL);

	return order ? order : compare_calls(a, b);
}

static int compare_by_place(const void *a, const void *b)
{
	const struct vmsi_sweep_stack *one = a, *two = b;
	const int order = compare_innermost(&one->stack, &two->stack, PLACE);

	return order ? order : compare_calls(a, b);
}

static int compare_by_turn(const void *a, const void *b)
{
	const struct vmsi_sweep_stack *one = a, *two = b;

	if (one->turn != two->turn)
		return one->turn < two->turn ? -1 : 1;
	return compare_calls(a, b);
}

static bool is_first(const struct vmsi_sweep_stack *list, size_t i,
		     unsigned frames)
{
	return i == 0 || compare_innermost(&list[i - 1].stack, &list[i].stack,
					   frames);
}

/* The first of each call has turn 0, the first of each place 1, the next of it 2. */
static void put_in_order(struct vmsi_sweep_stack *list, size_t count)
{
	qsort(list, count, sizeof *list, compare_by_place);
	for (size_t i = 0; i < count; i++)
		list[i].turn = is_first(list, i, PLACE) ? 1 :
							  list[i - 1].turn + 1;
	qsort(list, count, sizeof *list, compare_by_call);
	for (size_t i = 0; i < count; i++)
		if (is_first(list, i, CALL))
			list[i].turn = 0;
	qsort(list, count, sizeof *list, compare_by_turn);
}

void vmsi_sweep_table_choose(struct vmsi_sweep_table *table,
			     const char *library, const char *function)
{
	size_t kept = 0;

	for (size_t i = 0; i < table->count; i++)
		if (is_wanted(table, &table->list[i], library, function))
			table->list[kept++] = table->list[i];
	table->count = kept;
	put_in_order(table->list, kept);
}
