/* SPDX-License-Identifier: MIT */
#include "cli/supervise/stack_line.h"

#include <stdbool.h>
#include <string.h>

#include "cli/output/text.h"
#include "cli/supervise/caller.h"

#define FRAMES_MOST 6
#define NAME_LONGEST ((size_t)40)

/* Where the name ends that a line begins with: "FUNCTION (FILE) at SOURCE:LINE". */
static size_t name_length(const char *line)
{
	const size_t length = strcspn(line, "\n");
	size_t end = length;

	/* A demangled name has spaces and parentheses, so the last " (" counts. */
	for (size_t i = 0; i + 1 < length; i++)
		if (line[i] == ' ' && line[i + 1] == '(')
			end = i;
	return end;
}

static bool begins_with(const char *line, const char *start)
{
	return strncmp(line, start, strlen(start)) == 0;
}

/* What calls main, or the function of a thread. */
static bool is_start(const char *line)
{
	return begins_with(line, "_start ") ||
		begins_with(line, "__libc_start") ||
		begins_with(line, "start_thread ") ||
		begins_with(line, "clone ") || begins_with(line, "__clone");
}

/* The bytes of a name that are shown: up to a character's end. */
static size_t shown_length(const char *line, size_t length)
{
	size_t shown = 0;

	while (shown < length && shown < NAME_LONGEST) {
		const size_t character = vmsi_utf8_length(line + shown);

		shown += character ? character : 1;
	}
	return shown < length ? shown : length;
}

static void write_name(FILE *stream, const char *line)
{
	const size_t length = name_length(line);
	const size_t shown = shown_length(line, length);
	char name[NAME_LONGEST + 8];

	memcpy(name, line, shown);
	name[shown] = '\0';
	vmsi_write_escaped(stream, name);
	if (shown < length)
		fputs("...", stream);
}

void vmsi_write_stack_line(FILE *stream, const char *backtrace)
{
	static const char own[] = "__libc_"; /* before the allocator's name */
	const char *line = vmsi_caller_find(backtrace);
	size_t count = 0;

	if (begins_with(line, own))
		line += strlen(own);
	for (; *line && !(count && is_start(line)); count++) {
		if (count == FRAMES_MOST) {
			fputs(" < ...", stream);
			return;
		}
		fputs(count ? " < " : "", stream);
		write_name(stream, line);
		line += strcspn(line, "\n");
		line += *line == '\n';
	}
}
