/* SPDX-License-Identifier: MIT */
#include "cli/output/progress.h"

#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/output/terminal.h"

/* What is shown is written anew when a thousandth more is done. */
#define STEPS 1000

static struct {
	const char *unit;
	size_t count; /* 0: nothing is shown */
	size_t next;  /* what is to be done until it is written anew */
	bool is_shown;
} work;

void vmsi_progress_begin(const char *unit, size_t count, size_t least)
{
	work.unit = unit;
	work.count = count >= least && vmsi_terminal_obeys(STDERR_FILENO) ? count : 0;
	work.next = 1;
	work.is_shown = false;
}

/* The cursor goes back to the begin of the line: a message is longer, and covers it. */
void vmsi_progress_show(size_t done)
{
	if (work.count == 0 || done < work.next)
		return;
	fprintf(stderr, "%zu of %zu %s\r", done, work.count, work.unit);
	work.next = done + 1 + work.count / STEPS;
	work.is_shown = true;
}

void vmsi_progress_end(void)
{
	if (work.is_shown)
		fputs("\033[K", stderr);
	work.count = 0;
	work.is_shown = false;
}
