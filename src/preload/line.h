/* SPDX-License-Identifier: MIT */
#ifndef VMSI_PRELOAD_LINE_H
#define VMSI_PRELOAD_LINE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

#include "host/raw.h"
#include "text/number.h"

/* A line without stdio and without memory; cut where it would be too long. */
struct vmsi_output_line {
	char text[512];
	size_t length;
};

static inline void vmsi_line_text(struct vmsi_output_line *line,
				  const char *text)
{
	while (*text && line->length < sizeof(line->text))
		line->text[line->length++] = *text++;
}

/* In base 10 or 16. */
static inline void vmsi_line_based(struct vmsi_output_line *line,
				   uint64_t number,
				   unsigned base)
{
	struct vmsi_digits digits;

	vmsi_line_text(line, vmsi_write_digits(&digits, number, base));
}

static inline void vmsi_line_number(struct vmsi_output_line *line,
				    uint64_t number)
{
	vmsi_line_based(line, number, 10);
}

/* End the line and write it in one call. */
static inline void vmsi_line_write(struct vmsi_output_line *line, long fd)
{
	if (line->length == sizeof(line->text))
		line->length--;
	line->text[line->length++] = '\n';
	vmsi_raw_call(SYS_write, fd, (long)(uintptr_t)line->text,
		      (long)line->length, 0, 0, 0);
}

#endif
