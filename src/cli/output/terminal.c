/* SPDX-License-Identifier: MIT */
#include "cli/output/terminal.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool vmsi_terminal_obeys(int descriptor)
{
	const char *kind = getenv("TERM");

	return isatty(descriptor) && kind && *kind && strcmp(kind, "dumb") != 0;
}

bool vmsi_colours_are_wanted(void)
{
	const char *none = getenv("NO_COLOR");

	return !none || !*none;
}

/* A stream in memory has no descriptor, and is no terminal. */
static bool has_colours(FILE *stream)
{
	const int descriptor = fileno(stream);

	return descriptor >= 0 && vmsi_colours_are_wanted() &&
		vmsi_terminal_obeys(descriptor);
}

static bool is_marking;

/* Bold, so that it differs on a background of the same colour. */
void vmsi_mark_begin(FILE *stream, enum vmsi_mark mark)
{
	is_marking = has_colours(stream);
	if (is_marking)
		fputs(mark == VMSI_MARK_BAD ? "\033[1;31m" : "\033[1;33m", stream);
}

#define NEAR_PERCENT 90

void vmsi_mark_begin_if_near(FILE *stream, uint64_t used, uint64_t limit)
{
	if (limit && used / NEAR_PERCENT >= limit / 100)
		vmsi_mark_begin(stream, VMSI_MARK_NEAR);
}

void vmsi_mark_end(FILE *stream)
{
	if (is_marking)
		fputs("\033[m", stream);
	is_marking = false;
}
