/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TEXT_LINES_H
#define VMSI_TEXT_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "text/scan.h"

/*
 * Reads a byte stream line by line into a buffer of the caller's. A read may
 * return fewer bytes than asked for, and end anywhere in a line.
 */

/* One line without its newline. It lies in the buffer until the next advance. */
struct vmsi_line {
	const char *start;
	size_t length;
	bool cut; /* the line is longer than the buffer: this is its beginning */
};

static inline struct vmsi_scan vmsi_line_scan(const struct vmsi_line *line)
{
	return (struct vmsi_scan){ line->start, line->start + line->length };
}

struct vmsi_lines {
	/* Returns the bytes read, at most size; 0 at the end; -errno. */
	ssize_t (*read)(void *context, void *buffer, size_t size);
	void *context;
	char *buffer;
	size_t size;     /* of buffer; not 0 */
	size_t begin;    /* offset in buffer of the current line */
	size_t searched; /* no newline is in [begin, searched) */
	size_t end;      /* offset in buffer past what was read */
	bool skipping;   /* the rest of a cut line comes next */
};

/*
 * Get the current line, which stays the same until vmsi_lines_advance. Returns 1
 * and the line; 0 at the end; -errno of the read, or -EPROTO where the stream
 * ends without a newline: files of procfs do not, so the line was cut off.
 */
int vmsi_lines_peek(struct vmsi_lines *lines, struct vmsi_line *line);

/* Make the line after this one, which vmsi_lines_peek gave, the current one. */
void vmsi_lines_advance(struct vmsi_lines *lines,
			const struct vmsi_line *line);

#endif
