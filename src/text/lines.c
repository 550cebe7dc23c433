/* SPDX-License-Identifier: MIT */
#include "text/lines.h"

#include <errno.h>
#include <string.h>

static char *find_newline(struct vmsi_lines *lines)
{
	char *newline = memchr(lines->buffer + lines->searched, '\n',
			       lines->end - lines->searched);

	if (!newline)
		lines->searched = lines->end;
	return newline;
}

static void go_to(struct vmsi_lines *lines, size_t position)
{
	lines->begin = position;
	lines->searched = position;
}

/* Drop the rest of a cut line from the buffer; true: the line ended there. */
static bool skip_rest(struct vmsi_lines *lines)
{
	char *newline = find_newline(lines);

	if (!newline) {
		go_to(lines, lines->end);
		return false;
	}
	go_to(lines, (size_t)(newline + 1 - lines->buffer));
	lines->skipping = false;
	return true;
}

static bool take_line(struct vmsi_lines *lines, struct vmsi_line *line)
{
	if (lines->skipping && !skip_rest(lines))
		return false;

	const char *start = lines->buffer + lines->begin;
	char *newline = find_newline(lines);
	size_t have = lines->end - lines->begin;

	if (newline)
		*line = (struct vmsi_line){
			.start = start,
			.length = (size_t)(newline - start),
		};
	else if (have == lines->size)
		*line = (struct vmsi_line){
			.start = start,
			.length = have,
			.cut = true,
		};
	else
		return false;
	return true;
}

static ssize_t refill(struct vmsi_lines *lines)
{
	size_t have = lines->end - lines->begin;

	memmove(lines->buffer, lines->buffer + lines->begin, have);
	lines->searched -= lines->begin;
	lines->begin = 0;
	lines->end = have;

	ssize_t got = lines->read(lines->context, lines->buffer + have,
				  lines->size - have);

	if (got > 0)
		lines->end += (size_t)got;
	return got;
}

int vmsi_lines_peek(struct vmsi_lines *lines, struct vmsi_line *line)
{
	while (!take_line(lines, line)) {
		ssize_t got = refill(lines);

		if (got < 0)
			return (int)got;
		if (got == 0)
			return lines->end == 0 && !lines->skipping ? 0 : -EPROTO;
	}
	return 1;
}

void vmsi_lines_advance(struct vmsi_lines *lines, const struct vmsi_line *line)
{
	/* A whole line is followed by its newline. */
	go_to(lines, lines->begin + line->length + (line->cut ? 0 : 1));
	lines->skipping = line->cut;
}
