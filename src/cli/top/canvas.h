/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_TOP_CANVAS_H
#define VMSI_CLI_TOP_CANVAS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A line of the screen as it is composed: text in the encoding of the locale, cut off
 * at a width of columns, in spans of one style each. No byte of it controls a terminal.
 */

enum vmsi_top_style {
	VMSI_TOP_PLAIN,
	VMSI_TOP_HEADER,
	VMSI_TOP_SORTED,   /* the heading that rows are sorted by */
	VMSI_TOP_CURSOR,   /* the row that is chosen */
	VMSI_TOP_LABEL,
	VMSI_TOP_BAR,
	VMSI_TOP_BAR_FULL, /* of which little is left */
	VMSI_TOP_DIM,
	VMSI_TOP_KEY,
	VMSI_TOP_WARNING,
	VMSI_TOP_STYLES,
};

#define VMSI_TOP_SPANS 96

struct vmsi_top_span {
	size_t begin; /* in bytes; it ends where the next begins */
	enum vmsi_top_style style;
};

struct vmsi_top_canvas {
	char bytes[4096];
	size_t length;
	unsigned width;  /* columns that are used */
	unsigned most;   /* columns that there are */
	bool is_utf8;    /* blocks and lines may be drawn, and not letters for them */
	struct vmsi_top_span spans[VMSI_TOP_SPANS];
	size_t span_count;
};

void vmsi_top_canvas_begin(struct vmsi_top_canvas *canvas, unsigned most,
			   bool is_utf8);

/* What is put next has this style. */
void vmsi_top_style(struct vmsi_top_canvas *canvas, enum vmsi_top_style style);

/* Text of our own: printable ASCII, a column each. */
__attribute__((format(printf, 2, 3)))
void vmsi_top_put(struct vmsi_top_canvas *canvas, const char *format, ...);

/*
 * A name that others have chosen. What is no printable character of the locale is
 * written as \ooo (octal) for each byte, a backslash as \\. A character that does not
 * fit into the width is left out, with all behind it.
 */
void vmsi_top_put_name(struct vmsi_top_canvas *canvas, const char *name);

/* Blanks up to a column. */
void vmsi_top_fill(struct vmsi_top_canvas *canvas, unsigned column);

/* A bar of so many columns, of which a part is used; text stands at its end. */
void vmsi_top_put_bar(struct vmsi_top_canvas *canvas, unsigned columns,
		      uint64_t used, uint64_t all, const char *text);

/* The last of some values, a column each, from the smallest to the largest. */
void vmsi_top_put_history(struct vmsi_top_canvas *canvas, const int64_t *values,
			  unsigned count, unsigned columns);

/* The lines that lead to a row of a tree: see struct vmsi_top_line. */
void vmsi_top_put_branch(struct vmsi_top_canvas *canvas, unsigned depth,
			 uint64_t rails, bool is_last);

#endif
