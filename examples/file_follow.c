/* SPDX-License-Identifier: MIT */
/*
 * vmspace/file.h: a log that several processes append lines to, and others follow, as
 * tail -f.
 *
 *	file_follow PATH append    lines of the standard input
 *	file_follow PATH           print what is there, and what is added
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vmspace/file.h>

#define WRITERS 3
#define LINES 1000

/* --- appending ---------------------------------------------------------------- */

static vms_file *open_log(const char *path, unsigned flags)
{
	const struct vms_file_options options = {
		.struct_size = sizeof(options),
		.flags = flags,
	};

	return vms_file_open(path, &options);
}

/* A line an append: those of other processes lie before it or behind it. */
static int append_lines(const char *path, FILE *in)
{
	vms_file *log = open_log(path, VMS_FILE_CREATE);
	char *line = NULL;
	size_t room = 0;
	ssize_t length;
	int error = log ? 0 : -1;

	while (!error && (length = getline(&line, &room, in)) > 0)
		error = vms_file_append(log, line, (size_t)length, NULL);
	/* Until here the lines outlast the program, from here on the machine. */
	if (!error)
		error = vms_file_sync(log, 0, 0, 0);
	free(line);
	return vms_file_close(log) == 0 ? error : -1;
}

/* --- following ---------------------------------------------------------------- */

struct follower {
	vms_file *log;
	uint64_t next;         /* offset of what was not printed yet */
	uint64_t lines;
};

/* An append that failed may have left zeros. */
static void print(struct follower *follower, const char *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (bytes[i] != '\0')
			putchar(bytes[i]);
		if (bytes[i] == '\n')
			follower->lines++;
	}
}

/*
 * Print the whole lines behind those that were printed. The last one may be there in
 * part: the file grows while a write goes on. Returns 1 if there were any, 0, or -1.
 */
static int print_new(struct follower *follower)
{
	char bytes[65536];
	const char *end;
	size_t length;

	if (vms_file_refresh(follower->log) != 0)
		return -1;
	if (vms_file_size(follower->log) < follower->next)
		follower->next = 0; /* somebody has emptied the log */
	length = vms_file_size(follower->log) - follower->next;
	if (length > sizeof(bytes))
		length = sizeof(bytes);
	/* Emptied since the refresh: the next time tells. */
	if (vms_file_copy_out(follower->log, follower->next, bytes, length) != 0)
		return errno == ENXIO ? 0 : -1;
	end = memrchr(bytes, '\n', length);
	if (end)
		length = (size_t)(end - bytes) + 1;
	else if (length < sizeof(bytes))
		return 0;
	print(follower, bytes, length);
	follower->next += length;
	return 1;
}

/* Until there were so many lines. */
static int follow(const char *path, uint64_t lines)
{
	struct follower follower = { open_log(path, VMS_FILE_READ_ONLY), 0, 0 };
	int found = follower.log ? 1 : -1;

	while (found >= 0 && follower.lines < lines) {
		found = print_new(&follower);
		if (found == 0) {
			fflush(stdout);
			usleep(10000);
		}
	}
	return vms_file_close(follower.log) == 0 && found >= 0 ? 0 : -1;
}

/* --- both ----------------------------------------------------------------------- */

static void write_lines(const char *path, int writer)
{
	char *text = NULL;
	size_t bytes;
	FILE *lines = open_memstream(&text, &bytes);

	for (int i = 0; i < LINES; i++)
		fprintf(lines, "writer %d, line %d\n", writer, i);
	fclose(lines);
	lines = fmemopen(text, bytes, "r");
	_exit(append_lines(path, lines) == 0 ? 0 : 1);
}

static int show(void)
{
	char path[] = "/tmp/vmspace-log-XXXXXX";
	const int fd = mkstemp(path);
	int status = fd < 0 ? -1 : close(fd);
	int ended;

	for (int i = 0; i < WRITERS && status == 0; i++)
		if (fork() == 0)
			write_lines(path, i);
	if (status == 0)
		status = follow(path, (uint64_t)WRITERS * LINES);
	while (wait(&ended) > 0)
		if (ended != 0)
			status = -1;
	unlink(path);
	return status;
}

int main(int argc, char **argv)
{
	int status;

	if (argc == 1)
		status = show();
	else if (argc == 3 && strcmp(argv[2], "append") == 0)
		status = append_lines(argv[1], stdin);
	else if (argc == 2)
		status = follow(argv[1], UINT64_MAX);
	else
		return 2;
	if (status != 0)
		perror(argv[1] ? argv[1] : argv[0]);
	return status != 0;
}
