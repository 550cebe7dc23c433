/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TEXT_LINES_H
#define VMSI_TEXT_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "text/scan.h"

/*
 * The lines of a byte stream, one after another, in a fixed buffer of the
 * caller's. Reads may be as short as the source likes; a line may be split
 * between them in any place.
 */

/* One line, without its newline; in the buffer, until the next advance. */
struct vmsi_line {
	const char *start;
	size_t length;
	bool cut; /* longer than the buffer: this is its beginning */
};

static inline struct vmsi_scan vmsi_line_scan(const struct vmsi_line *line)
{
	return (struct vmsi_scan){ line->start, line->start + line->length };
}

struct vmsi_lines {
	/* Bytes read into buffer, at most size; 0 at the end, or -errno. */
	ssize_t (*read)(void *context, void *buffer, size_t size);
	void *context;
	char *buffer;
	size_t size;     /* of buffer; not 0 */
	size_t begin;    /* of the current line, in buffer */
	size_t searched; /* no newline is in [begin, searched) */
	size_t end;      /* of what has been read */
	bool skipping;   /* what comes is the rest of a cut line */
};

/*
 * The current line, again and again until vmsi_lines_advance.
 *
 * Returns 1 and the line; 0 at the end; -errno of the read, or -EPROTO where
 * the stream ends without a newline: procfs never does, so what is there has
 * been cut off and its numbers cannot be trusted.
 */
int vmsi_lines_peek(struct vmsi_lines *lines, struct vmsi_line *line);

/* Go past the line that vmsi_lines_peek gave. */
void vmsi_lines_advance(struct vmsi_lines *lines,
			const struct vmsi_line *line);

#endif
