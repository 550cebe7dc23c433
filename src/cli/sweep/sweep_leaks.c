/* SPDX-License-Identifier: MIT */
#include "cli/sweep/sweep_leaks.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cli/hash.h"
#include "cli/output/demangle.h"
#include "failing/failing.h"

/*
 * A report has for each leak a line and its stack, in the form that the preload
 * library has asked for:
 *
 *	Direct leak of 100 byte(s) in 1 object(s) allocated from:
 *	@/lib/x86_64-linux-gnu/liblsan.so.0+0x13545 __interceptor_malloc
 *	@/usr/bin/program+0x116a function
 *
 * Blocks that only a leaked block points to are indirect leaks, and go with it. The
 * program could write to the report.
 */
static const char direct[] = "Direct leak of ";

/* More than this of a report is not read. */
#define REPORT_MOST ((off_t)4 << 20)

/* --- the file ---------------------------------------------------------------------- */

int vmsi_sweep_leaks_open(void)
{
	const int file = memfd_create("vmspace-leaks", MFD_CLOEXEC);

	/* Each run appends, wherever the one before has ended. */
	if (file >= 0 && fcntl(file, F_SETFL, O_APPEND) == 0)
		return file;
	return -errno;
}

int vmsi_sweep_leaks_clear(int file)
{
	return ftruncate(file, 0) ? -errno : 0;
}

/* Returns NULL where it is empty or cannot be read. */
static char *read_report(int file)
{
	const off_t length = lseek(file, 0, SEEK_END);
	const size_t wanted = (size_t)(length < REPORT_MOST ? length :
							      REPORT_MOST);
	char *text = length > 0 ? calloc(1, wanted + 1) : NULL;

	if (text && pread(file, text, wanted, 0) != (ssize_t)wanted) {
		free(text);
		return NULL;
	}
	return text;
}

/* --- leaks of a report ------------------------------------------------------------- */

/* Cut a line off the text, which becomes what is behind it. */
static char *take_line(char **text)
{
	char *line = *text, *end = line + strcspn(line, "\n");

	*text = *end ? end + 1 : end;
	*end = '\0';
	return line;
}

/* "/path/file+0x123 function" in its parts. */
static bool split(char *line, char **file, char **offset, char **function)
{
	char *plus = line[0] == '@' ? strstr(line, "+0x") : NULL;
	char *space = plus ? strchr(plus, ' ') : NULL;

	if (!plus)
		return false;
	*plus = '\0';
	if (space)
		*space = '\0';
	*file = strrchr(line, '/') ? strrchr(line, '/') + 1 : line + 1;
	*offset = plus + 1;
	*function = space ? space + 1 : space;
	return true;
}

/* Frames of the two libraries that the command has put there. */
static bool is_ours(const char *file)
{
	return strcmp(file, VMSI_FAILING_LIBRARY) == 0 ||
		strncmp(file, "liblsan.so", strlen("liblsan.so")) == 0;
}

static void print_frame(FILE *stream, const char *file, const char *offset,
			const char *function)
{
	/* What has no symbol is "<null>" there. */
	const bool is_named = function && *function && *function != '<';
	char *plain = is_named ? vmsi_demangle(function) : NULL;

	fprintf(stream, "%s (%s)\n", plain ? plain :
		is_named ? function : offset, file);
	free(plain);
}

/* Read the frames that follow; stream is NULL or gets them. Returns their hash. */
static uint64_t take_frames(char **text, FILE *stream)
{
	uint64_t hash = VMSI_HASH_BEGIN;
	char *file, *offset, *function;

	while (**text == '@') {
		if (!split(take_line(text), &file, &offset, &function) ||
		    is_ours(file))
			continue;
		hash = vmsi_hash_add(vmsi_hash_add(hash, file), offset);
		if (stream)
			print_frame(stream, file, offset, function);
	}
	return hash;
}

/* Go to the next direct leak. Returns what its line says of it; NULL: there is none. */
static char *next_leak(char **text)
{
	while (**text) {
		char *line = take_line(text);
		char *end = strstr(line, " allocated from");

		if (end && strncmp(line, direct, strlen(direct)) == 0) {
			*end = '\0';
			return line + strlen(direct);
		}
	}
	return NULL;
}

static bool is_known(const struct vmsi_sweep_leaks *leaks, uint64_t hash)
{
	for (size_t i = 0; i < leaks->count; i++)
		if (leaks->known[i] == hash)
			return true;
	return false;
}

void vmsi_sweep_leaks_learn(struct vmsi_sweep_leaks *leaks, int file)
{
	char *report = read_report(file), *text = report;

	while (report && leaks->count < VMSI_SWEEP_LEAKS_KNOWN &&
	       next_leak(&text)) {
		const uint64_t hash = take_frames(&text, NULL);

		if (!is_known(leaks, hash))
			leaks->known[leaks->count++] = hash;
	}
	free(report);
}

bool vmsi_sweep_leaks_find(const struct vmsi_sweep_leaks *leaks, int file,
			   char leak[VMSI_SWEEP_LEAK])
{
	char *report = read_report(file), *text = report, *head;
	bool found = false;

	while (report && !found && (head = next_leak(&text))) {
		FILE *stream = fmemopen(leak, VMSI_SWEEP_LEAK - 1, "w");

		if (stream)
			fprintf(stream, "%s\n", head);
		found = !is_known(leaks, take_frames(&text, stream));
		/* What is longer than the memory is cut there. */
		if (stream)
			(void)fclose(stream);
	}
	free(report);
	if (!found)
		leak[0] = '\0';
	return found;
}
