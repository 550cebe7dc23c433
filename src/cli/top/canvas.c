/* SPDX-License-Identifier: MIT */
#include "cli/top/canvas.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

#include "cli/output/text.h"

void vmsi_top_canvas_begin(struct vmsi_top_canvas *canvas, unsigned most,
			   bool is_utf8)
{
	canvas->length = canvas->width = 0;
	canvas->most = most;
	canvas->is_utf8 = is_utf8;
	canvas->spans[0] = (struct vmsi_top_span){ 0, VMSI_TOP_PLAIN };
	canvas->span_count = 1;
	canvas->bytes[0] = '\0';
}

void vmsi_top_style(struct vmsi_top_canvas *canvas, enum vmsi_top_style style)
{
	struct vmsi_top_span *last = &canvas->spans[canvas->span_count - 1];

	if (last->begin == canvas->length)
		last->style = style;
	else if (last->style != style && canvas->span_count < VMSI_TOP_SPANS)
		canvas->spans[canvas->span_count++] =
			(struct vmsi_top_span){ canvas->length, style };
}

/* Add a character of so many columns, or nothing where it does not fit. */
static bool add(struct vmsi_top_canvas *canvas, const char *bytes, size_t length,
		unsigned columns)
{
	if (canvas->width + columns > canvas->most ||
	    length >= sizeof(canvas->bytes) - canvas->length)
		return false;
	memcpy(canvas->bytes + canvas->length, bytes, length);
	canvas->length += length;
	canvas->bytes[canvas->length] = '\0';
	canvas->width += columns;
	return true;
}

static void add_ascii(struct vmsi_top_canvas *canvas, const char *text)
{
	while (*text && add(canvas, text, 1, 1))
		text++;
}

void vmsi_top_put(struct vmsi_top_canvas *canvas, const char *format, ...)
{
	char text[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	add_ascii(canvas, text);
}

void vmsi_top_fill(struct vmsi_top_canvas *canvas, unsigned column)
{
	while (canvas->width < column && add(canvas, " ", 1, 1))
		;
}

/* --- names ------------------------------------------------------------------------- */

/* What changes how others are shown, and is not seen: variations of letters, too. */
static bool is_hidden(wchar_t character)
{
	return vmsi_is_invisible((uint32_t)character) ||
		(character >= 0xe0080 && character <= 0xe0fff);
}

/* Returns the bytes of the character, and its columns; -1: it is not to be shown. */
static size_t measure(const char *text, mbstate_t *state, int *columns)
{
	wchar_t character;
	const size_t length = mbrtowc(&character, text, strlen(text), state);

	if (length == (size_t)-1 || length == (size_t)-2) {
		*state = (mbstate_t){ 0 };
		*columns = -1;
		return 1;
	}
	*columns = is_hidden(character) ? -1 : wcwidth(character);
	return length;
}

static bool add_octal(struct vmsi_top_canvas *canvas, const char *bytes, size_t length)
{
	char text[5];

	for (size_t i = 0; i < length; i++) {
		snprintf(text, sizeof(text), "\\%03o",
			 (unsigned)(unsigned char)bytes[i]);
		if (!add(canvas, text, 4, 4))
			return false;
	}
	return true;
}

void vmsi_top_put_name(struct vmsi_top_canvas *canvas, const char *name)
{
	mbstate_t state = { 0 };
	bool fits = true;

	while (*name && fits) {
		int columns;
		const size_t length = measure(name, &state, &columns);

		if (columns < 0)
			fits = add_octal(canvas, name, length);
		else if (*name == '\\')
			fits = add(canvas, "\\\\", 2, 2);
		else
			fits = add(canvas, name, length, (unsigned)columns);
		name += length;
	}
}

/* --- pictures ---------------------------------------------------------------------- */

/* Eighths of a block, and what stands for them elsewhere. */
static const char *const blocks[8] = { "\xe2\x96\x81", "\xe2\x96\x82", "\xe2\x96\x83",
	"\xe2\x96\x84", "\xe2\x96\x85", "\xe2\x96\x86", "\xe2\x96\x87", "\xe2\x96\x88" };
static const char levels[] = "_.-:=+*#";

static void add_block(struct vmsi_top_canvas *canvas, unsigned eighths)
{
	if (canvas->is_utf8)
		add(canvas, blocks[eighths], 3, 1);
	else
		add(canvas, &levels[eighths], 1, 1);
}

void vmsi_top_put_history(struct vmsi_top_canvas *canvas, const int64_t *values,
			  unsigned count, unsigned columns)
{
	const unsigned begin = canvas->width;
	const unsigned shown = count < columns ? count : columns;
	double low = 0, high = 0, span;

	vmsi_top_fill(canvas, begin + columns - shown);
	values += count - shown;
	for (unsigned i = 0; i < shown; i++) {
		low = i == 0 || (double)values[i] < low ? (double)values[i] : low;
		high = i == 0 || (double)values[i] > high ? (double)values[i] : high;
	}
	/* A change of less than an eighth does not fill the height. */
	span = high - low > high / 8 ? high - low : high / 8;
	for (unsigned i = 0; i < shown; i++)
		add_block(canvas, span > 0 ? (unsigned)
			  (((double)values[i] - low) / span * 7 + .5) : 0);
}

void vmsi_top_put_bar(struct vmsi_top_canvas *canvas, unsigned columns,
		      uint64_t used, uint64_t all, const char *text)
{
	const unsigned begin = canvas->width, length = (unsigned)strlen(text);
	const unsigned inside = columns > 2 ? columns - 2 : 0;
	const double part = all ? (double)used / (double)all : 0;
	unsigned full = (unsigned)((part < 1 ? part : 1) * inside + .5);

	if (columns < 2)
		return;
	vmsi_top_style(canvas, VMSI_TOP_PLAIN);
	add(canvas, "[", 1, 1);
	vmsi_top_style(canvas, part < .9 ? VMSI_TOP_BAR : VMSI_TOP_BAR_FULL);
	/* The text is worth more than the end of the bar. */
	if (length < inside && full > inside - length)
		full = inside - length;
	for (unsigned i = 0; i < full; i++)
		add(canvas, "|", 1, 1);
	vmsi_top_style(canvas, VMSI_TOP_PLAIN);
	if (length <= inside) {
		vmsi_top_fill(canvas, begin + 1 + inside - length);
		add_ascii(canvas, text);
	}
	vmsi_top_fill(canvas, begin + 1 + inside);
	add(canvas, "]", 1, 1);
}

void vmsi_top_put_branch(struct vmsi_top_canvas *canvas, unsigned depth,
			 uint64_t rails, bool is_last)
{
	for (unsigned i = 1; i < depth; i++) {
		if (!(rails >> i & 1))
			add_ascii(canvas, "   ");
		else if (canvas->is_utf8 && add(canvas, "\xe2\x94\x82", 3, 1))
			add_ascii(canvas, "  ");
		else
			add_ascii(canvas, "|  ");
	}
	if (depth == 0)
		return;
	if (!canvas->is_utf8)
		add_ascii(canvas, is_last ? "`- " : "|- ");
	else if (add(canvas, is_last ? "\xe2\x94\x94" : "\xe2\x94\x9c", 3, 1) &&
		 add(canvas, "\xe2\x94\x80", 3, 1))
		add_ascii(canvas, " ");
}
