/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/commit/commit.h"
#include "cli/output/text.h"

/* A row a process: "  HOLDS  UNCHARGED  MAY ASK  REFUSED  PROCESS". */

enum { HOLDS, UNCHARGED, MAY_ASK, AMOUNTS };

static const char *const headings[AMOUNTS] = {
	[HOLDS] = "HOLDS",
	[UNCHARGED] = "UNCHARGED",
	[MAY_ASK] = "MAY ASK",
};

struct table {
	enum vmsi_size_style style;
	int widths[AMOUNTS];
};

struct row {
	struct vmsi_size_text amounts[AMOUNTS];
};

static struct row row_of(const struct table *table, const struct vmsi_refusal *refusal)
{
	const struct vmsi_balance *may_ask = &refusal->may_ask;

	return (struct row){ {
		[HOLDS] = vmsi_size_text(refusal->holder->committed, table->style),
		[UNCHARGED] = vmsi_size_text(refusal->holder->uncharged,
					     table->style),
		[MAY_ASK] = may_ask->error ? (struct vmsi_size_text){ "?" } :
			vmsi_size_text(may_ask->passed ? 0 : may_ask->bytes,
				       table->style),
	} };
}

static void widen(struct table *table, size_t column, const char *text)
{
	const int width = (int)strlen(text);

	if (table->widths[column] < width)
		table->widths[column] = width;
}

static const char *refused_word(unsigned refused)
{
	switch (refused) {
	case 0:
		return "-";
	case VMSI_REFUSED_FORK:
		return "fork";
	case VMSI_REFUSED_START:
		return "start";
	case VMSI_REFUSED_FORK | VMSI_REFUSED_START:
		return "fork, start";
	default:
		return "everything";
	}
}

static void write_row(const struct table *table, const struct vmsi_refusal *refusal)
{
	const struct row row = row_of(table, refusal);

	for (size_t i = 0; i < AMOUNTS; i++)
		printf("  %*s", table->widths[i], row.amounts[i].text);
	printf("  %-11s  %d ", refused_word(refusal->refused),
	       (int)refusal->holder->pid);
	vmsi_write_escaped(stdout, refusal->holder->command);
	putchar('\n');
}

static void write_head(const struct table *table)
{
	for (size_t i = 0; i < AMOUNTS; i++)
		printf("  %*s", table->widths[i], headings[i]);
	puts("  REFUSED      PROCESS");
}

static void write_others(const struct vmsi_refusals *refusals, size_t shown)
{
	const size_t others = refusals->count - shown;

	if (!others)
		return;
	printf("  and %zu other process%s, ", others, others == 1 ? "" : "es");
	if (refusals->refused_count > shown)
		printf("%zu of them refused something\n",
		       refusals->refused_count - shown);
	else
		puts("refused nothing");
}

static void write_table(const struct vmsi_refusals *refusals, size_t most,
			enum vmsi_size_style style)
{
	const size_t shown = refusals->count < most ? refusals->count : most;
	struct table table = { .style = style };

	for (size_t column = 0; column < AMOUNTS; column++) {
		widen(&table, column, headings[column]);
		for (size_t i = 0; i < shown; i++)
			widen(&table, column, row_of(&table, &refusals->list[i])
						      .amounts[column].text);
	}
	write_head(&table);
	for (size_t i = 0; i < shown; i++)
		write_row(&table, &refusals->list[i]);
	write_others(refusals, shown);
}

static void write_hidden(size_t hidden)
{
	if (hidden)
		printf("  %zu process%s may not be looked at\n", hidden,
		       hidden == 1 ? "" : "es");
}

/* The machine refuses before the budget's own limit does. */
static void write_budget(const struct vmsi_budget_seen *budget,
			 const struct vmsi_balance *machine,
			 enum vmsi_size_style style)
{
	const uint64_t own = vmsi_refusals_left_of_budget(budget);
	const uint64_t grants = machine->passed ? 0 : machine->bytes;

	if (own <= grants)
		return;
	fputs("  budget ", stdout);
	vmsi_write_escaped(stdout, budget->figures.name[0] ?
					   budget->figures.name : "-");
	printf(": %s of the %s that its limit leaves\n",
	       vmsi_size_text(grants, style).text, vmsi_size_text(own, style).text);
}

void vmsi_commit_write_refusals(const struct vmsi_commit_report *report, size_t most,
				enum vmsi_size_style style)
{
	const struct vmsi_balance *machine = &report->figures.left.small;

	puts("\nwhat would be refused, and to whom:");
	if (report->figures.mode == VMSI_MODE_ALWAYS)
		puts("  nothing to anybody");
	else
		write_table(&report->refusals, most, style);
	write_hidden(report->audit.hidden);
	if (report->figures.mode != VMSI_MODE_STRICT || machine->error)
		return;
	for (size_t i = 0; i < report->budgets.count; i++)
		write_budget(&report->budgets.budgets[i], machine, style);
}
