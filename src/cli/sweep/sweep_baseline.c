/* SPDX-License-Identifier: MIT */
#include "cli/sweep/sweep_findings.h"

#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "cli/output/report_file.h"
#include "cli/output/text.h"

/*
 * A baseline is a text file with a line for each known finding: its signature. Lines
 * that are empty or begin with # say nothing, so that people may comment.
 */

/* --- signatures -------------------------------------------------------------------- */

#define FRAMES_SIGNED 8

/* What comes before main is the same in all programs, and not in all C libraries. */
static bool is_before_main(const char *line)
{
	return strncmp(line, "__libc_start", strlen("__libc_start")) == 0 ||
		strncmp(line, "_start ", strlen("_start ")) == 0;
}

/*
 * Write a frame without what another build changes: the line of the source, and the
 * address where the function has no name.
 */
static void sign_frame(FILE *text, const char *line, size_t length)
{
	const char *at = memmem(line, length, " at ", 4);
	const char *object;
	char *frame = strndup(line, at ? (size_t)(at - line) : length);

	if (!frame)
		return;
	object = strncmp(frame, "0x", 2) == 0 ? strchr(frame, ' ') : NULL;
	fputs(object ? " < ?" : " < ", text);
	vmsi_write_escaped(text, object ? object : frame);
	free(frame);
}

char *vmsi_sweep_signature(const struct vmsi_sweep_result *result)
{
	char *signature = NULL;
	size_t length;
	FILE *text = open_memstream(&signature, &length);
	const char *line = result->backtrace;

	if (!text)
		return NULL;
	fputs(vmsi_sweep_word(result->verdict), text);
	if (result->verdict == VMSI_SWEEP_CRASHED)
		fprintf(text, " by signal %d", WTERMSIG(result->status));
	fprintf(text, ": %s", result->call);
	for (int i = 0; i < FRAMES_SIGNED && *line && !is_before_main(line); i++) {
		sign_frame(text, line, strcspn(line, "\n"));
		line += strcspn(line, "\n");
		line += *line != '\0';
	}
	return fclose(text) == 0 ? signature : NULL;
}

/* --- reading ------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* Add each line of a file to a tree. Returns 0 or -errno. */
static int read_lines(const char *path, void **tree)
{
	FILE *file = fopen(path, "re");
	char *line = NULL, *kept;
	size_t room = 0;
	ssize_t length;
	int error = 0;

	if (!file)
		return -errno;
	while ((length = getline(&line, &room, file)) >= 0) {
		if (length > 0 && line[length - 1] == '\n')
			line[length - 1] = '\0';
		if (!*line || *line == '#')
			continue;
		kept = strdup(line);
		if (!kept || !tsearch(kept, tree, compare))
			error = -ENOMEM;
	}
	if (!feof(file))
		error = -errno;
	free(line);
	fclose(file);
	return error;
}

static void mark(const struct vmsi_sweep_part *part, void *const *tree)
{
	for (size_t i = 0; i < part->count; i++) {
		struct vmsi_sweep_result *result = &part->results[i];
		char *signature = vmsi_sweep_is_bad(result->verdict) ?
			vmsi_sweep_signature(result) : NULL;

		result->known = signature && tfind(signature, tree, compare);
		free(signature);
	}
}

enum vmsi_exit vmsi_sweep_take_baseline(const char *path,
					const struct vmsi_sweep_part *parts,
					size_t count)
{
	void *tree = NULL;
	const int error = read_lines(path, &tree);

	if (error)
		return vmsi_sweep_fail(path, -error);
	for (size_t i = 0; i < count; i++)
		mark(&parts[i], &tree);
	return VMSI_EXIT_OK;
}

/* --- writing ------------------------------------------------------------------------- */

static int compare_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static size_t sign_all(const struct vmsi_sweep_part *parts, size_t count,
		       char **lines)
{
	size_t found = 0;

	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < parts[i].count; j++) {
			const struct vmsi_sweep_result *result =
				&parts[i].results[j];
			char *signature = vmsi_sweep_is_bad(result->verdict) ?
				vmsi_sweep_signature(result) : NULL;

			if (signature)
				lines[found++] = signature;
		}
	qsort(lines, found, sizeof *lines, compare_lines);
	return found;
}

bool vmsi_sweep_write_baseline(const char *path,
			       const struct vmsi_sweep_part *parts, size_t count)
{
	size_t most = 1, length, found;
	char *content = NULL, **lines;
	FILE *text;
	bool written;

	for (size_t i = 0; i < count; i++)
		most += parts[i].count;
	lines = calloc(most, sizeof *lines);
	text = open_memstream(&content, &length);
	if (!lines || !text)
		return vmsi_sweep_fail(path, ENOMEM) == VMSI_EXIT_OK;
	found = sign_all(parts, count, lines);
	fputs("# Known findings of 'vmspace sweep', a line each.\n", text);
	for (size_t i = 0; i < found; i++)
		if (i == 0 || strcmp(lines[i], lines[i - 1]) != 0)
			fprintf(text, "%s\n", lines[i]);
	written = fclose(text) == 0 && vmsi_report_write_text(content, path);
	for (size_t i = 0; i < found; i++)
		free(lines[i]);
	free(lines);
	free(content);
	return written;
}
