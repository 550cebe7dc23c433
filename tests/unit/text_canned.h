/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_TEXT_CANNED_H
#define TESTS_UNIT_TEXT_CANNED_H

#include <string.h>

#include "text/lines.h"

/* A text that is read in pieces of at most chunk bytes. */
struct canned {
	const char *text;
	size_t length;
	size_t at;
	size_t chunk;
	int error; /* given instead of the end, if not 0 */
};

static inline ssize_t canned_read(void *context, void *buffer, size_t size)
{
	struct canned *canned = context;
	size_t count = canned->length - canned->at;

	if (count > size)
		count = size;
	if (count > canned->chunk)
		count = canned->chunk;
	if (count == 0)
		return canned->error;
	memcpy(buffer, canned->text + canned->at, count);
	canned->at += count;
	return (ssize_t)count;
}

static inline struct canned canned_text(const char *text, size_t chunk)
{
	return (struct canned){
		.text = text,
		.length = strlen(text),
		.chunk = chunk,
	};
}

static inline struct vmsi_lines canned_lines(struct canned *canned,
					     char *buffer, size_t size)
{
	return (struct vmsi_lines){
		.read = canned_read,
		.context = canned,
		.buffer = buffer,
		.size = size,
	};
}

#endif
