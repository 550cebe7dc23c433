/* SPDX-License-Identifier: MIT */
/*
 * vmspace/file.h: count the lines that have a word in them, as grep -c, of a file that
 * anybody may make shorter meanwhile. Without the access the program would end by
 * SIGBUS then.
 *
 *	file_count WORD PATH
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vmspace/file.h>

#define LINES 20000
#define LINE_BYTES ((size_t)16)

static uint64_t count_in(const char *text, size_t length, const char *word)
{
	const char *const end = text + length;
	uint64_t count = 0;

	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		const char *line_end = newline ? newline : end;

		if (memmem(text, (size_t)(line_end - text), word, strlen(word)))
			count++;
		text = line_end + 1;
	}
	return count;
}

/*
 * What was lost reads as zeros, so a count that has met some is thrown away. It stays
 * lost until the refresh, which takes the size anew, too. A disk that fails does so
 * again, and is told.
 */
static int count_lines(vms_file *file, const char *word, uint64_t *count)
{
	struct vms_file_access access;
	uint64_t at = 0;

	for (int tries = 0; tries < 10; tries++) {
		const size_t length = vms_file_size(file);
		const char *text = vms_file_at(file, 0, length);

		if (!text || vms_file_begin_access(file, &access) != 0)
			return -1;
		*count = count_in(text, length, word);
		if (vms_file_end_access(&access, &at) == 0)
			return 0;
		fprintf(stderr, "lost at %llu: %s\n", (unsigned long long)at,
			strerror(errno));
		if (vms_file_refresh(file) != 0)
			return -1;
	}
	return -1;
}

static int count_file(const char *word, const char *path)
{
	const struct vms_file_options options = {
		.struct_size = sizeof(options),
		.flags = VMS_FILE_READ_ONLY,
	};
	vms_file *file = vms_file_open(path, &options);
	uint64_t count;

	if (!file || count_lines(file, word, &count) != 0) {
		perror(path);
		return 2;
	}
	printf("%llu\n", (unsigned long long)count);
	return vms_file_close(file) == 0 && count > 0 ? 0 : 1;
}

/* The file is made shorter after it was opened, as by another program. */
static int show_on(const char *path)
{
	vms_file *file = vms_file_open(path, NULL);
	uint64_t all = 0, half = 0;
	char line[LINE_BYTES + 1];
	int error = file ? 0 : -1;

	for (int i = 0; i < LINES && !error; i++) {
		snprintf(line, sizeof(line), "a line %08d\n", i);
		error = vms_file_append(file, line, LINE_BYTES, NULL);
	}
	if (error || count_lines(file, "line", &all) != 0 ||
	    truncate(path, LINES / 2 * LINE_BYTES) != 0 ||
	    count_lines(file, "line", &half) != 0) {
		perror("example-file_count");
		return 1;
	}
	printf("%llu lines, and %llu in what was left\n",
	       (unsigned long long)all, (unsigned long long)half);
	return vms_file_close(file) != 0 || all != LINES || half != LINES / 2;
}

int main(int argc, char **argv)
{
	char path[] = "/tmp/vmspace-count-XXXXXX";
	int fd, status;

	if (argc == 3)
		return count_file(argv[1], argv[2]);
	fd = mkstemp(path);
	if (fd < 0)
		return 1;
	close(fd);
	status = show_on(path);
	unlink(path);
	return status;
}
