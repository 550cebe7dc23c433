/* SPDX-License-Identifier: MIT */
#include "cli/commit/commit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli/commit/commit_read.h"
#include "cli/output/text.h"
#include "cli/policy.h"

/* The text names at most so many holders of a budget; the JSON names all. */
#define HOLDERS_SHOWN 8

/*
 * An exact amount, so that the reader can check the sums: in bytes, or in KiB
 * where the kernel has it so.
 */
static struct vmsi_size_text exact(uint64_t bytes, enum vmsi_size_style style)
{
	struct vmsi_size_text text = vmsi_size_text(bytes, VMSI_SIZE_BYTES);

	if (style == VMSI_SIZE_HUMAN && bytes % 1024 == 0)
		snprintf(text.text, sizeof(text.text), "%" PRIu64 "K",
			 bytes / 1024);
	return text;
}

/* One step of a sum: "  + 1234K  text". */
__attribute__((format(printf, 3, 4)))
static void write_step(char sign, const char *amount, const char *format, ...)
{
	va_list arguments;

	printf("  %c %12s  ", sign, amount);
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	putchar('\n');
}

static void write_reading(char sign, struct vmsi_reading reading,
			  const char *text, enum vmsi_size_style style)
{
	if (reading.error)
		write_step(sign, "?", "%s (%s)", text,
			   vmsi_commit_why(reading.error));
	else
		write_step(sign, exact(reading.value, style).text, "%s", text);
}

/* Write the result of a sum, and the same rounded as in "11.8G". */
static void write_result(struct vmsi_reading reading,
			 enum vmsi_size_style style)
{
	struct vmsi_size_text about =
		vmsi_size_text(reading.value, VMSI_SIZE_HUMAN);

	write_reading('=', reading, reading.error ? "unknown" : about.text,
		      style);
}

static void write_policy(const struct vmsi_commit_report *report)
{
	static const char *const texts[] = {
		[VMSI_MODE_HEURISTIC] =
		"  Each request is looked at by itself: one larger than RAM "
		"and swap together\n  gets ENOMEM. Nothing else is enforced, "
		"whatever was promised before; where\n  memory runs out, the "
		"OOM killer ends processes.\n",
		[VMSI_MODE_ALWAYS] =
		"  Nothing is enforced: every request is granted, of any size. "
		"Where memory runs\n  out, the OOM killer ends processes.\n",
		[VMSI_MODE_STRICT] =
		"  The sum of what is promised has a limit: a request that "
		"does not fit in what\n  is left gets ENOMEM.\n",
		[VMSI_MODE_UNKNOWN] =
		"  What is enforced is not known.\n",
	};
	const struct vmsi_reading mode =
		report->sources.settings[VMSI_OVERCOMMIT_MEMORY];
	const char *word = report->figures.mode == VMSI_MODE_UNKNOWN ?
		"unknown" :
		vmsi_policy_word((enum vms_commit_policy)report->figures.mode);

	if (mode.error)
		printf("policy: %s (vm.overcommit_memory: %s)\n", word,
		       vmsi_commit_why(mode.error));
	else
		printf("policy: %s (vm.overcommit_memory is %" PRIu64 ")\n",
		       word, mode.value);
	fputs(texts[report->figures.mode], stdout);
}

static void write_largest_request(const struct vmsi_commit_figures *figures,
				  enum vmsi_size_style style)
{
	puts("\nlargest request that is granted:");
	write_reading(' ', figures->limit.ram, "RAM", style);
	write_reading('+', figures->limit.swap, "swap", style);
	write_result(figures->largest_request, style);
}

static void write_share_by_ratio(const struct vmsi_commit_limit *limit,
				 uint64_t page, enum vmsi_size_style style)
{
	char percent[32];

	write_reading(' ', limit->ram, "RAM", style);
	write_reading('-', limit->huge_pages,
		      "huge pages, which are set apart", style);
	write_reading('=', limit->usable, "RAM of ordinary pages", style);
	if (limit->ratio.error) {
		write_reading('x', limit->ratio, "vm.overcommit_ratio", style);
	} else {
		snprintf(percent, sizeof(percent), "%" PRIu64 "%%",
			 limit->ratio.value);
		write_step('x', percent, "vm.overcommit_ratio");
	}
	if (limit->share.error)
		write_result(limit->share, style);
	else
		write_step('=', exact(limit->share.value, style).text,
			   "in whole pages of %s", exact(page, style).text);
}

static void write_difference(const struct vmsi_commit_limit *limit,
			     enum vmsi_size_style style)
{
	const uint64_t sum = limit->sum.value;
	const uint64_t kernel = limit->kernel.value;
	const uint64_t between = kernel > sum ? kernel - sum : sum - kernel;

	if (sum == kernel) {
		puts("  The kernel says the same: CommitLimit.");
		return;
	}
	printf("  The kernel's own CommitLimit is %s, %s %s, and that holds.\n",
	       exact(kernel, style).text, exact(between, style).text,
	       kernel > sum ? "more" : "less");
	puts("  Settings, swap or huge pages may have changed while this was "
	     "read; before\n  Linux 4.16 only huge pages of the default size "
	     "are known; and in a container\n  another program may answer for "
	     "/proc/meminfo.");
}

static void write_limit(const struct vmsi_commit_figures *figures,
			uint64_t page, enum vmsi_size_style style)
{
	const struct vmsi_commit_limit *limit = &figures->limit;

	printf("\ncommit limit%s:\n", figures->mode == VMSI_MODE_STRICT ? "" :
	       ", which only mode 2 enforces");
	if (limit->basis == VMSI_BASIS_RATIO)
		write_share_by_ratio(limit, page, style);
	else
		write_reading(' ', limit->share,
			      "vm.overcommit_kbytes, in whole pages", style);
	write_reading('+', limit->swap, "swap", style);
	write_result(limit->sum, style);
	if (limit->kernel.error)
		printf("  The kernel's own CommitLimit is not known (%s).\n",
		       vmsi_commit_why(limit->kernel.error));
	else if (!limit->sum.error)
		write_difference(limit, style);
	else
		printf("  The kernel's own CommitLimit is %s.\n",
		       exact(limit->kernel.value, style).text);
}

static void write_admin_reserve(const struct vmsi_commit_left *left,
				enum vmsi_size_style style)
{
	const struct vmsi_reading *reserve = &left->admin_reserve;
	struct vmsi_size_text none = exact(0, style);

	if (left->exemption == VMSI_EXEMPT_YES)
		write_step('-', none.text,
			   "of vm.admin_reserve_kbytes (%s): you have "
			   "CAP_SYS_ADMIN",
			   reserve->error ? vmsi_commit_why(reserve->error) :
			   exact(reserve->value, style).text);
	else if (left->exemption == VMSI_EXEMPT_NO)
		write_reading('-', *reserve, "vm.admin_reserve_kbytes: you "
			      "have no CAP_SYS_ADMIN", style);
	else
		write_reading('-', *reserve, "vm.admin_reserve_kbytes, unless "
			      "you have CAP_SYS_ADMIN", style);
}

/*
 * Write how much a process may still commit that has mapped as much as whom says,
 * or by how much the limit is passed.
 */
static void write_balance(const struct vmsi_balance *balance,
			  const char *whom, enum vmsi_size_style style)
{
	char amount[sizeof(struct vmsi_size_text) + 1];

	if (balance->error) {
		write_step('=', "?", "unknown (%s)",
			   vmsi_commit_why(balance->error));
		return;
	}
	snprintf(amount, sizeof(amount), "%s%s", balance->passed ? "-" : "",
		 exact(balance->bytes, style).text);
	write_step('=', amount, "%s%s, where it has mapped %s",
		   balance->passed ? "nothing; passed by " : "",
		   vmsi_size_text(balance->bytes, VMSI_SIZE_HUMAN).text, whom);
}

static void write_left(const struct vmsi_commit_figures *figures,
		       enum vmsi_size_style style)
{
	const struct vmsi_commit_left *left = &figures->left;
	char large[sizeof(struct vmsi_size_text) + sizeof(" or more")];

	puts(figures->mode == VMSI_MODE_STRICT ?
	     "\nleft for a process of yours:" :
	     "\nleft for a process of yours, were mode 2 in force:");
	write_reading(' ', left->limit, "commit limit", style);
	write_admin_reserve(left, style);
	write_reading('-', left->committed,
		      "promised by now: Committed_AS", style);
	write_step('-', exact(left->page, style).text,
		   "the sum must stay below the limit");
	write_balance(&left->small, "little", style);
	write_reading('-', left->user_reserve,
		      "vm.user_reserve_kbytes; a 32nd of what it has mapped, "
		      "if less", style);
	snprintf(large, sizeof(large), "%s or more",
		 vmsi_size_text(left->large_size.value, VMSI_SIZE_HUMAN).text);
	write_balance(&left->large, left->large_size.error ? "much" : large,
		      style);
}

static void write_holders(const struct vmsi_budget_seen *budget)
{
	size_t shown = budget->holder_count;

	if (shown > HOLDERS_SHOWN)
		shown = HOLDERS_SHOWN;
	fputs("    open in", stdout);
	for (size_t i = 0; i < shown; i++) {
		printf("%s %d (", i ? "," : "", (int)budget->holders[i].pid);
		vmsi_write_escaped(stdout, budget->holders[i].command);
		putchar(')');
	}
	if (shown < budget->holder_count)
		printf(" and %zu more", budget->holder_count - shown);
	putchar('\n');
}

static void write_figures(const struct vmsi_budget_figures *figures,
			  enum vmsi_size_style style)
{
	printf("    limit %s, ", vmsi_size_text(figures->limit, style).text);
	printf("charged %s, ", vmsi_size_text(figures->charged, style).text);
	printf("peak %s; ", vmsi_size_text(figures->peak, style).text);
	printf("%" PRIu64 " refusal%s, %u process%s\n", figures->refusals,
	       figures->refusals == 1 ? "" : "s", figures->processes,
	       figures->processes == 1 ? "" : "es");
}

static const char *why_unread(int error)
{
	switch (error) {
	case -EINVAL:
		return "it is no budget";
	case -EPROTONOSUPPORT:
		return "it is of another version of vmspace";
	default:
		return vmsi_commit_why(error);
	}
}

static void write_budget(const struct vmsi_budget_seen *budget,
			 enum vmsi_size_style style)
{
	const struct vmsi_budget_figures *figures = &budget->figures;

	if (budget->error) {
		printf("  not to be read (%s)\n", why_unread(budget->error));
		write_holders(budget);
		return;
	}
	fputs("  ", stdout);
	vmsi_write_escaped(stdout, figures->name[0] ? figures->name : "-");
	if (figures->label[0]) {
		fputs(": ", stdout);
		vmsi_write_escaped(stdout, figures->label);
	}
	printf(" (%s; made by process %u)\n", vmsi_policy_word(figures->policy),
	       figures->maker);
	write_figures(figures, style);
	write_holders(budget);
}

void vmsi_commit_write_budgets(const struct vmsi_commit_report *report,
			       enum vmsi_size_style style)
{
	const struct vmsi_budget_list *list = &report->budgets;

	if (report->budgets_error) {
		printf("\nbudgets in use: unknown (%s)\n",
		       vmsi_commit_why(report->budgets_error));
		return;
	}
	printf("\nbudgets in use: %zu\n", list->count);
	for (size_t i = 0; i < list->count && !ferror(stdout); i++)
		write_budget(&list->budgets[i], style);
	if (list->hidden)
		printf("  %zu process%s of other users, or protected, could "
		       "not be looked at\n", list->hidden,
		       list->hidden == 1 ? "" : "es");
}

void vmsi_commit_write_arithmetic(const struct vmsi_commit_report *report,
				  enum vmsi_size_style style)
{
	putchar('\n');
	write_policy(report);
	if (report->figures.mode == VMSI_MODE_HEURISTIC)
		write_largest_request(&report->figures, style);
	write_limit(&report->figures, report->sources.page_size, style);
	write_left(&report->figures, style);
}
