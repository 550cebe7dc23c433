/* SPDX-License-Identifier: MIT */
#include "cli/output/json_stream.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define INDENT 2

static void break_line(unsigned depth)
{
	putchar_unlocked('\n');
	for (unsigned i = 0; i < INDENT * depth; i++)
		putchar_unlocked(' ');
}

/* What comes before a member. */
static void begin_member(struct vmsi_json_stream *stream, const char *key)
{
	if (stream->has_members)
		putchar_unlocked(',');
	if (stream->depth)
		break_line(stream->depth);
	if (key)
		printf("\"%s\": ", key);
	stream->has_members = true;
}

static void open_with(struct vmsi_json_stream *stream, const char *key, char start,
		      char end)
{
	begin_member(stream, key);
	putchar_unlocked(start);
	stream->ends[stream->depth++] = end;
	stream->has_members = false;
}

void vmsi_json_open_object(struct vmsi_json_stream *stream, const char *key)
{
	open_with(stream, key, '{', '}');
}

void vmsi_json_open_array(struct vmsi_json_stream *stream, const char *key)
{
	open_with(stream, key, '[', ']');
}

void vmsi_json_close(struct vmsi_json_stream *stream)
{
	stream->depth--;
	if (stream->has_members)
		break_line(stream->depth);
	putchar_unlocked(stream->ends[stream->depth]);
	if (stream->depth == 0)
		putchar_unlocked('\n');
	stream->has_members = true;
}

/* In a string a newline is escaped, so that each one here begins a line. */
static int write_indented(const char *part, size_t length, void *context)
{
	const struct vmsi_json_stream *stream = context;

	while (length > 0) {
		const char *newline = memchr(part, '\n', length);
		const size_t line = newline ? (size_t)(newline - part) : length;

		if (fwrite_unlocked(part, 1, line, stdout) != line)
			return -1;
		if (!newline)
			return 0;
		break_line(stream->depth);
		part += line + 1;
		length -= line + 1;
	}
	return 0;
}

void vmsi_json_add(struct vmsi_json_stream *stream, const char *key, json_t *value)
{
	if (!value) {
		stream->error = -ENOMEM;
		return;
	}
	begin_member(stream, key);
	/* vmsi_finish_output tells of writes that failed. */
	(void)json_dump_callback(value, write_indented, stream,
				 JSON_INDENT(INDENT) | JSON_ENCODE_ANY);
	json_decref(value);
}
