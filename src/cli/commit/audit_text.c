/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/commit/commit.h"
#include "cli/output/text.h"

/* A row an amount: "   1.2G  17%  what". */

struct rows {
	enum vmsi_size_style style;
	uint64_t whole;
	int width;
};

static void widen(struct rows *rows, uint64_t bytes)
{
	const int width = (int)strlen(vmsi_size_text(bytes, rows->style).text);

	if (rows->width < width)
		rows->width = width;
}

static void write_amount(const struct rows *rows, uint64_t bytes)
{
	printf("  %*s", rows->width, vmsi_size_text(bytes, rows->style).text);
	if (rows->whole)
		printf("  %3" PRIu64 "%%", bytes * 100 / rows->whole);
	fputs("  ", stdout);
}

static void write_holders(const struct rows *rows, const struct vmsi_audit *audit,
			  size_t most)
{
	uint64_t rest = audit->private_memory;
	size_t shown = audit->count < most ? audit->count : most;

	for (size_t i = 0; i < shown; i++) {
		write_amount(rows, audit->holders[i].committed);
		printf("%d ", (int)audit->holders[i].pid);
		vmsi_write_escaped(stdout, audit->holders[i].command);
		putchar('\n');
		rest -= audit->holders[i].committed;
	}
	if (shown < audit->count) {
		write_amount(rows, rest);
		printf("%zu other processes\n", audit->count - shown);
	}
}

static void write_shared(const struct rows *rows, const struct vmsi_audit *audit)
{
	static const char *const texts[VMSI_SHARED_KINDS] = {
		[VMSI_SHARED_ANONYMOUS] = "shared anonymous memory",
		[VMSI_SHARED_SYSTEM_V] = "segments of System V",
		[VMSI_SHARED_MEMFD] = "memfds",
		[VMSI_SHARED_TMPFS] = "tmpfs",
		[VMSI_SHARED_ELSEWHERE] = "shared memory that no process here has",
	};

	for (size_t i = 0; i < VMSI_SHARED_KINDS; i++) {
		if (!audit->shared[i])
			continue;
		write_amount(rows, audit->shared[i]);
		puts(texts[i]);
	}
}

static void write_rest(const struct rows *rows, const struct vmsi_audit *audit)
{
	const uint64_t explained = vmsi_audit_explained(audit);

	write_amount(rows, explained);
	fputs("explained", stdout);
	if (audit->after > explained) {
		putchar('\n');
		write_amount(rows, audit->after - explained);
		fputs("not explained", stdout);
	}
	putchar('\n');
	if (audit->hidden)
		printf("  %zu process%s may not be looked at, and %s at most %s\n",
		       audit->hidden, audit->hidden == 1 ? "" : "es",
		       audit->hidden == 1 ? "has" : "have",
		       vmsi_size_text(audit->hidden_most, rows->style).text);
	if (audit->omits_others)
		puts("  processes of other users are not listed in /proc: hidepid");
	if (audit->omits_outside)
		puts("  processes outside of this PID namespace are not listed in /proc");
}

void vmsi_commit_write_audit(const struct vmsi_audit *audit, size_t most,
			     enum vmsi_size_style style)
{
	struct rows rows = { .style = style, .whole = audit->after };

	widen(&rows, vmsi_audit_explained(audit));
	for (size_t i = 0; i < audit->count && i < most; i++)
		widen(&rows, audit->holders[i].committed);
	for (size_t i = 0; i < VMSI_SHARED_KINDS; i++)
		widen(&rows, audit->shared[i]);
	printf("\nwho holds it: Committed_AS is %s\n",
	       vmsi_size_text(audit->after, style).text);
	write_holders(&rows, audit, most);
	write_shared(&rows, audit);
	write_rest(&rows, audit);
}
