/* SPDX-License-Identifier: MIT */
#include "cli/maps/maps.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vmspace.h>

#include "cli/maps/table.h"
#include "cli/maps/words.h"
#include "cli/output/terminal.h"
#include "cli/output/text.h"
#include "procfs/file.h"
#include "text/number.h"
#include "text/size.h"

/* --- what the figures are of ---------------------------------------------- */

static void write_name(const struct vmsi_name *name, enum vmsi_owner_kind kind)
{
	if (kind == VMSI_OWNER_NAMED)
		fputs("[anon:", stdout);
	if (vmsi_owner_is_told(kind))
		printf("[%s:", vmsi_owner_kinds[kind]);
	vmsi_write_escaped(stdout, name->text);
	if (kind == VMSI_OWNER_NAMED || vmsi_owner_is_told(kind))
		fputc(']', stdout);
	if (kind == VMSI_OWNER_FILE && name->is_deleted)
		fputs(" (deleted)", stdout);
}

static void write_content(const struct vmsi_seen_mapping *mapping)
{
	if (mapping->label == VMSI_LABEL_GIVEN)
		write_name(mapping->name, VMSI_OWNER_NAMED);
	else if (mapping->label != VMSI_LABEL_NONE)
		vmsi_write_escaped(stdout, mapping->name->text);
	else
		fputs_unlocked("[anon]", stdout);
	if (mapping->label == VMSI_LABEL_FILE && mapping->offset)
		printf("+0x%" PRIx64, mapping->offset);
	if (mapping->label == VMSI_LABEL_FILE && mapping->name->is_deleted)
		fputs(" (deleted)", stdout);
}

static void write_flags(unsigned flags)
{
	const char *between = "";

	for (size_t i = 0; vmsi_flag_words[i].word; i++)
		if (flags & vmsi_flag_words[i].flag) {
			printf("%s%s", between, vmsi_flag_words[i].word);
			between = ",";
		}
	fputs(*between ? "  " : "", stdout);
}

#define ADDRESS_DIGITS 12

static void write_address(uintptr_t address)
{
	struct vmsi_digits digits;
	const char *first = vmsi_write_digits(&digits, address, 16);

	for (size_t i = strlen(first); i < ADDRESS_DIGITS; i++)
		putchar_unlocked('0');
	fputs_unlocked(first, stdout);
}

/* There may be a million of them, for which printf takes its time. */
static void write_mapping(const struct vmsi_table *table, const char *indent,
			  const struct vmsi_seen_mapping *mapping)
{
	vmsi_table_write_figures(table, &mapping->figures);
	fputs_unlocked(indent, stdout);
	write_address(mapping->start);
	putchar_unlocked('-');
	write_address(mapping->end);
	fputs_unlocked("  ", stdout);
	fputs_unlocked(vmsi_prot_text(mapping->prot).text, stdout);
	putchar_unlocked(mapping->flags & VMS_MAPPING_SHARED ? 's' : 'p');
	fputs_unlocked("  ", stdout);
	write_flags(mapping->flags);
	write_content(mapping);
	putchar_unlocked('\n');
}

/* --- a process ------------------------------------------------------------ */

static void write_process(const struct vmsi_process *process)
{
	printf("%d ", (int)process->pid);
	vmsi_write_escaped(stdout, process->command);
}

/* What a kernel of that kind would refuse another mapping at; 0: not told. */
static uint64_t most_mappings(void)
{
	uint64_t most = 0;

	return vmsi_host_read_number("/proc/sys/vm/max_map_count", &most) ? most : 0;
}

static void write_amount(const struct vmsi_maps_view *view, const char *before,
			 uint64_t bytes, const char *after)
{
	printf("%s%s%s", before, vmsi_amount_text(view, bytes, false).text, after);
}

static void write_bound(const struct vmsi_maps_view *view,
			const struct vmsi_bound *bound)
{
	write_amount(view, "commit: ", bound->committed, "");
	write_amount(view, " of ", bound->limit, "");
	switch (bound->kind) {
	case VMSI_BOUND_BUDGET:
		fputs(" in the budget ", stdout);
		vmsi_write_escaped(stdout, bound->name);
		break;
	case VMSI_BOUND_GROUP:
		printf(" under the limit of %d ", (int)bound->pid);
		vmsi_write_escaped(stdout, bound->name);
		break;
	default:
		fputs(bound->is_held ? " on the machine" :
		      " RAM on the machine, which no limit holds", stdout);
	}
	putchar('\n');
}

/* A machine that refuses nothing is of no interest where something else does. */
static void write_bounds(const struct vmsi_maps_view *view,
			 const struct vmsi_bounds *bounds)
{
	for (size_t i = 0; i < bounds->count; i++)
		if (bounds->list[i].is_held || bounds->count == 1)
			write_bound(view, &bounds->list[i]);
}

static void write_head(const struct vmsi_maps_view *view,
		       const struct vmsi_process *process, uint64_t most)
{
	const struct vmsi_status *status = &process->status;
	const uint64_t mappings = process->total.of[VMSI_MAPPINGS];

	fputs("process ", stdout);
	write_process(process);
	fputs(": ", stdout);
	if (most)
		vmsi_mark_begin_if_near(stdout, mappings, most);
	printf("%s mappings", vmsi_amount_text(view, mappings, true).text);
	if (most)
		printf(" of %" PRIu64, most);
	vmsi_mark_end(stdout);
	write_amount(view, "\nresident: ", status->resident, "");
	write_amount(view, " (", status->resident_anonymous, " anonymous");
	write_amount(view, ", ", status->resident_file, " files");
	write_amount(view, ", ", status->resident_shared, " shared)");
	write_amount(view, ", ", status->swapped, " swapped\n");
	write_bounds(view, &process->bounds);
}

static void write_unfolded(const struct vmsi_table *table,
			   const struct vmsi_process *process,
			   const struct vmsi_maps_choice *choice,
			   const struct vmsi_owner *owner)
{
	const size_t number = (size_t)(owner - process->owners.list);

	for (size_t i = choice->starts[number];
	     i < choice->starts[number + 1] && !ferror(stdout); i++)
		write_mapping(table, "  ", &process->mappings[choice->order[i]]);
}

static void write_total(const struct vmsi_table *table, size_t owners,
			const struct vmsi_figures *total)
{
	vmsi_table_write_figures(table, total);
	printf("total of %zu owner%s\n", owners, owners == 1 ? "" : "s");
}

static int write_owners(const struct vmsi_maps_view *view,
			const struct vmsi_process *process)
{
	struct vmsi_table table = vmsi_table_begin(view);
	struct vmsi_maps_choice choice;
	int error = vmsi_maps_choose(view, process, &choice);

	if (error)
		return error;
	vmsi_table_widen(&table, &choice.total);
	for (size_t i = 0; i < choice.count; i++)
		vmsi_table_widen(&table, &choice.owners[i]->figures);
	vmsi_table_write_headings(&table, "OWNER");
	for (size_t i = 0; i < choice.count && !ferror(stdout); i++) {
		vmsi_table_write_figures(&table, &choice.owners[i]->figures);
		write_name(choice.owners[i]->name, choice.owners[i]->kind);
		fputc('\n', stdout);
		if (view->detail == VMSI_MAPS_ALL)
			write_unfolded(&table, process, &choice,
				       choice.owners[i]);
	}
	write_total(&table, choice.count, &choice.total);
	vmsi_maps_free_choice(&choice);
	return 0;
}

static bool is_listed(const struct vmsi_maps_view *view,
		      const struct vmsi_process *process, size_t number)
{
	return vmsi_maps_shows(view, &process->owners
			       .list[process->mappings[number].owner]);
}

static void write_list(const struct vmsi_maps_view *view,
		       const struct vmsi_process *process)
{
	struct vmsi_table table = vmsi_table_begin(view);
	struct vmsi_figures total = { 0 };
	size_t count = 0;

	for (size_t i = 0; i < process->count; i++)
		if (is_listed(view, process, i)) {
			vmsi_figures_add(&total, &process->mappings[i].figures);
			count += process->mappings[i].figures.of[VMSI_MAPPINGS];
		}
	vmsi_table_widen(&table, &total);
	vmsi_table_write_headings(&table, "ADDRESSES, RIGHTS, FLAGS, CONTENT");
	for (size_t i = 0; i < process->count && !ferror(stdout); i++)
		if (is_listed(view, process, i))
			write_mapping(&table, "", &process->mappings[i]);
	vmsi_table_write_figures(&table, &total);
	printf("total of %zu mapping%s\n", count, count == 1 ? "" : "s");
}

static int write_one(const struct vmsi_maps_view *view,
		     const struct vmsi_process *process, uint64_t most)
{
	write_head(view, process, most);
	if (view->detail != VMSI_MAPS_LIST)
		return write_owners(view, process);
	write_list(view, process);
	return 0;
}

/* --- processes ------------------------------------------------------------ */

/* What is shown of a process, all owners together. */
struct total {
	const struct vmsi_process *process;
	struct vmsi_figures figures;
};

static int sum_up(const struct vmsi_maps_view *view, struct total *total)
{
	struct vmsi_maps_choice choice;
	const int error = vmsi_maps_choose(view, total->process, &choice);

	if (error)
		return error;
	total->figures = choice.total;
	vmsi_maps_free_choice(&choice);
	return 0;
}

static int compare_totals(const void *left, const void *right, void *context)
{
	const struct total *a = left, *b = right;
	const struct vmsi_maps_view *view = context;
	const int order = view->sort == VMSI_COLUMNS ?
		strcmp(a->process->command, b->process->command) :
		vmsi_maps_compare(view, &a->figures, &b->figures);

	if (order)
		return view->is_ascending ? order : -order;
	return (a->process > b->process) - (a->process < b->process);
}

/* A row a process. */
static int write_totals(const struct vmsi_maps_view *view,
			const struct vmsi_seen_processes *processes)
{
	struct vmsi_table table = vmsi_table_begin(view);
	struct vmsi_figures sum = { 0 };
	struct total *totals = calloc(processes->count + 1, sizeof(*totals));
	int error = totals ? 0 : -ENOMEM;

	for (size_t i = 0; !error && i < processes->count; i++) {
		totals[i].process = &processes->list[i];
		error = sum_up(view, &totals[i]);
		vmsi_figures_add(&sum, &totals[i].figures);
	}
	/* In the order in which they were found, unless another is asked for. */
	if (!error && view->is_sorted)
		qsort_r(totals, processes->count, sizeof(*totals), compare_totals,
			(void *)view);
	vmsi_table_widen(&table, &sum);
	if (!error)
		vmsi_table_write_headings(&table, "PROCESS");
	for (size_t i = 0; !error && i < processes->count && !ferror(stdout); i++) {
		vmsi_table_write_figures(&table, &totals[i].figures);
		write_process(totals[i].process);
		fputc('\n', stdout);
	}
	if (!error && processes->count > 1) {
		vmsi_table_write_figures(&table, &sum);
		printf("total of %zu processes\n", processes->count);
	}
	free(totals);
	return error;
}

int vmsi_maps_write_text(const struct vmsi_maps_view *view,
			 const struct vmsi_seen_processes *processes)
{
	uint64_t most;
	int error = 0;

	if (view->detail == VMSI_MAPS_TOTAL)
		return write_totals(view, processes);
	most = view->is_difference ? 0 : most_mappings();
	for (size_t i = 0; !error && i < processes->count && !ferror(stdout); i++) {
		error = write_one(view, &processes->list[i], most);
		if (processes->count > 1)
			putchar('\n');
	}
	return error || processes->count < 2 ? error :
		write_totals(view, processes);
}
