/* SPDX-License-Identifier: MIT */
#include "cli/supervise/caller.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* What programs call; glibc's own names for them, too. */
static const char *const allocators[] = {
	"malloc", "__libc_malloc", "calloc", "__libc_calloc", "realloc",
	"__libc_realloc", "reallocarray", "memalign", "__libc_memalign",
	"aligned_alloc", "posix_memalign", "__posix_memalign", "valloc",
	"__libc_valloc", "pvalloc", "__libc_pvalloc",
};

static size_t line_length(const char *line)
{
	return strcspn(line, "\n");
}

static const char *next_line(const char *line)
{
	line += line_length(line);
	return *line ? line + 1 : line;
}

/* A name may have a version: "malloc@@GLIBC_2.2.5". */
static bool is_allocator(const char *line)
{
	const size_t length = strcspn(line, " @\n");

	for (size_t i = 0; i < sizeof allocators / sizeof allocators[0]; i++)
		if (strlen(allocators[i]) == length &&
		    memcmp(line, allocators[i], length) == 0)
			return true;
	return false;
}

/* Where the name of the file ends, "FUNCTION (FILE)"; the line's end without one. */
static const char *end_of_file(const char *line)
{
	const char *end = line + line_length(line);
	const char *file = memchr(line, '(', (size_t)(end - line));
	const char *close = file ?
		memchr(file, ')', (size_t)(end - file)) : NULL;

	return close ? close + 1 : end;
}

static bool are_of_one_file(const char *a, const char *b)
{
	const char *end_a = end_of_file(a), *end_b = end_of_file(b);
	const char *file_a = memchr(a, '(', (size_t)(end_a - a));
	const char *file_b = memchr(b, '(', (size_t)(end_b - b));

	return file_a && file_b && end_a - file_a == end_b - file_b &&
		memcmp(file_a, file_b, (size_t)(end_a - file_a)) == 0;
}

/*
 * realloc may call malloc, both with functions of the inside around: so the outermost
 * allocator counts that is reached without leaving the file.
 */
const char *vmsi_caller_find(const char *backtrace)
{
	const char *line = backtrace, *found;

	while (*line && !is_allocator(line))
		line = next_line(line);
	if (!*line)
		return backtrace;
	found = line;
	for (line = next_line(line); *line && are_of_one_file(found, line);
	     line = next_line(line))
		if (is_allocator(line))
			found = line;
	return found;
}

bool vmsi_caller_has_allocator(const char *backtrace)
{
	return is_allocator(vmsi_caller_find(backtrace));
}

char *vmsi_caller_key(const char *backtrace)
{
	const char *caller = vmsi_caller_find(backtrace);
	const char *end = end_of_file(caller);
	const char *rest = caller + line_length(caller);
	char *key;

	if (!is_allocator(caller))
		return strdup(backtrace);
	key = malloc((size_t)(end - caller) + strlen(rest) + 1);
	if (!key)
		return NULL;
	memcpy(key, caller, (size_t)(end - caller));
	strcpy(key + (end - caller), rest);
	return key;
}
