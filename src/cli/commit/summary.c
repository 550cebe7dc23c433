/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>

#include "cli/commit/commit.h"
#include "cli/commit/commit_read.h"
#include "cli/output/terminal.h"
#include "cli/output/text.h"

/* What a user wants to know, a line each: what holds, how full it is, what is left. */

static struct vmsi_size_text size(uint64_t bytes, enum vmsi_size_style style)
{
	return vmsi_size_text(bytes, style);
}

static void write_policy(const struct vmsi_commit_report *report,
			 enum vmsi_size_style style)
{
	const struct vmsi_reading *largest = &report->figures.largest_request;

	fputs(report->sources.is_supposed ? "supposed   " : "policy     ", stdout);
	switch (report->figures.mode) {
	case VMSI_MODE_HEURISTIC:
		printf("heuristic: one request above %s is refused, "
		       "nothing else\n",
		       largest->error ? "RAM and swap" :
		       size(largest->value, style).text);
		break;
	case VMSI_MODE_ALWAYS:
		puts("always: every request is granted");
		break;
	case VMSI_MODE_STRICT:
		puts("strict: what does not fit in the limit is refused");
		break;
	default:
		puts("unknown");
	}
}

static void write_promised(const struct vmsi_commit_report *report,
			   enum vmsi_size_style style)
{
	const struct vmsi_commit_left *left = &report->figures.left;
	const struct vmsi_commit_limit *limit = &report->figures.limit;
	const bool is_strict = report->figures.mode == VMSI_MODE_STRICT;
	const struct vmsi_reading *of = is_strict ? &left->limit : &limit->ram;

	if (left->committed.error) {
		printf("promised   unknown (%s)\n",
		       vmsi_commit_why(left->committed.error));
		return;
	}
	fputs("promised   ", stdout);
	if (is_strict && !of->error)
		vmsi_mark_begin_if_near(stdout, left->committed.value, of->value);
	fputs(size(left->committed.value, style).text, stdout);
	if (!of->error && of->value)
		printf(" of %s%s (%" PRIu64 "%%)", size(of->value, style).text,
		       is_strict ? "" : " RAM",
		       left->committed.value * 100 / of->value);
	vmsi_mark_end(stdout);
	puts(is_strict ? "" : ", which no limit holds");
}

static void write_passed(const struct vmsi_balance *left, enum vmsi_size_style style)
{
	fputs("left       ", stdout);
	vmsi_mark_begin(stdout, VMSI_MARK_BAD);
	fputs("nothing", stdout);
	vmsi_mark_end(stdout);
	printf(": %s more is promised than the limit; all requests are refused\n",
	       size(left->bytes, style).text);
}

static void write_strict_left(const struct vmsi_balance *left,
			      enum vmsi_size_style style)
{
	if (left->error)
		printf("left       unknown (%s)\n", vmsi_commit_why(left->error));
	else if (left->passed)
		write_passed(left, style);
	else
		printf("left       %s for you\n", size(left->bytes, style).text);
}

/* Without a limit what is left is what is there to be used. */
static void write_left(const struct vmsi_commit_report *report,
		       enum vmsi_size_style style)
{
	const struct vmsi_meminfo *meminfo = &report->sources.meminfo;

	if (report->figures.mode == VMSI_MODE_STRICT)
		write_strict_left(&report->figures.left.small, style);
	else if (report->sources.meminfo_error)
		printf("left       unknown (%s)\n",
		       vmsi_commit_why(report->sources.meminfo_error));
	else
		printf("left       any amount; %s is free to be used, and %s of swap\n",
		       size(meminfo->ram_available, style).text,
		       size(meminfo->swap_free, style).text);
}

/* The machine leaves this much, by the limit or by what is there. */
static uint64_t left_by_machine(const struct vmsi_commit_report *report)
{
	const struct vmsi_balance *small = &report->figures.left.small;

	if (report->figures.mode != VMSI_MODE_STRICT || small->error)
		return report->sources.meminfo.ram_available +
			report->sources.meminfo.swap_free;
	return small->passed ? 0 : small->bytes;
}

static void write_group(const struct vmsi_commit_report *report,
			enum vmsi_size_style style)
{
	const struct vmsi_commit_group *group = &report->group;

	if (!group->is_limited)
		return;
	fputs("container  ", stdout);
	vmsi_mark_begin_if_near(stdout, group->in_use, group->limit);
	printf("%s of %s used", size(group->in_use, style).text,
	       size(group->limit, style).text);
	vmsi_mark_end(stdout);
	printf(", %s left\n           ", size(group->left, style).text);
	puts(group->left < left_by_machine(report) ?
	     "full before the machine is; then the OOM killer ends a process" :
	     "the machine is full first");
	fputs("           ", stdout);
	vmsi_write_escaped(stdout, group->path);
	putchar('\n');
}

void vmsi_commit_write_summary(const struct vmsi_commit_report *report,
			       enum vmsi_size_style style)
{
	write_policy(report, style);
	write_promised(report, style);
	write_left(report, style);
	write_group(report, style);
}
