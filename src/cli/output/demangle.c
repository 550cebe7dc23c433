/* SPDX-License-Identifier: MIT */
#include "cli/output/demangle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef VMSI_WITH_IBERTY
#include <libiberty/demangle.h>
#endif

/*
 * A mangled name may stand for one that is longer by any factor, and the names come
 * from files of others: what is longer than this stays as it is.
 */
#define MANGLED_LONGEST 1024
#define NAME_LONGEST 4096

char *vmsi_demangle(const char *name)
{
#ifdef VMSI_WITH_IBERTY
	char *plain;

	/* Names of C++, and of Rust by its two schemes. */
	if ((strncmp(name, "_Z", 2) != 0 && strncmp(name, "_R", 2) != 0) ||
	    strlen(name) > MANGLED_LONGEST)
		return NULL;
	plain = cplus_demangle(name, DMGL_PARAMS | DMGL_ANSI | DMGL_AUTO);
	if (!plain || strlen(plain) <= NAME_LONGEST)
		return plain;
	free(plain);
#else
	(void)name;
#endif
	return NULL;
}

/* Write a line of a backtrace; its first word is the name. */
static void write_line(FILE *stream, const char *line, size_t length)
{
	const size_t end = strcspn(line, " \n");
	char name[MANGLED_LONGEST + 1], *plain = NULL;

	if (end < sizeof name && end <= length) {
		memcpy(name, line, end);
		name[end] = '\0';
		plain = vmsi_demangle(name);
	}
	if (plain) {
		fputs(plain, stream);
		line += end;
		length -= end;
	}
	fwrite(line, 1, length, stream);
	fputc('\n', stream);
	free(plain);
}

char *vmsi_demangle_backtrace(const char *backtrace)
{
	char *text = NULL;
	size_t bytes;
	FILE *stream = open_memstream(&text, &bytes);

	if (!stream)
		return NULL;
	while (*backtrace) {
		const size_t length = strcspn(backtrace, "\n");

		write_line(stream, backtrace, length);
		backtrace += length + (backtrace[length] == '\n');
	}
	if (fclose(stream) == 0)
		return text;
	free(text);
	return NULL;
}
