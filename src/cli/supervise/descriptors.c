/* SPDX-License-Identifier: MIT */
#include "cli/supervise/descriptors.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/numbers.h"

/*
 * The command's own processes must close the descriptors that they have inherited
 * for the program: the reader of its output sees the end of a pipe only after all
 * processes have closed it, and so does the writer to its input. An inherited
 * descriptor has no close-on-exec flag, and each one that the command has opened
 * has it, also where it got the number of a stream that the caller had closed.
 */

static bool is_inherited(int descriptor)
{
	const int flags = fcntl(descriptor, F_GETFD);

	return flags >= 0 && !(flags & FD_CLOEXEC);
}

/*
 * Whether a descriptor is the file of --report: "--report=/dev/stdout" and "--
 * report >(reader)" name an inherited descriptor, which is kept for the report.
 */
static bool is_file(int descriptor, const struct stat *file)
{
	struct stat status;

	return file && fstat(descriptor, &status) == 0 &&
		status.st_dev == file->st_dev && status.st_ino == file->st_ino;
}

static const struct stat *look_at(const char *file, struct stat *status)
{
	return file && stat(file, status) == 0 ? status : NULL;
}

static void let_go_of_stream(int stream, int flags, const struct stat *kept)
{
	const int nothing = open("/dev/null", flags | O_CLOEXEC);

	if (nothing < 0)
		return;
	if (is_inherited(stream) && !is_file(stream, kept))
		(void)dup2(nothing, stream);
	close(nothing);
}

static void let_go_of_one(int descriptor, const struct stat *kept)
{
	if (descriptor > STDERR_FILENO && is_inherited(descriptor) &&
	    !is_file(descriptor, kept))
		close(descriptor);
}

void vmsi_let_go_of_others(const char *kept_file)
{
	DIR *directory = opendir("/proc/self/fd");
	struct stat status;
	const struct stat *kept = look_at(kept_file, &status);
	int descriptor;

	if (!directory) {
		const int end = (int)sysconf(_SC_OPEN_MAX);

		for (int i = STDERR_FILENO + 1; i < end; i++)
			let_go_of_one(i, kept);
		return;
	}
	while (vmsi_next_number(directory, &descriptor))
		let_go_of_one(descriptor, kept);
	closedir(directory);
}

void vmsi_let_go_of_input(const char *kept_file)
{
	struct stat status;

	let_go_of_stream(STDIN_FILENO, O_RDONLY,
			 look_at(kept_file, &status));
}

void vmsi_let_go_of_descriptors(const char *kept_file)
{
	struct stat status;

	vmsi_let_go_of_input(kept_file);
	let_go_of_stream(STDOUT_FILENO, O_WRONLY,
			 look_at(kept_file, &status));
	vmsi_let_go_of_others(kept_file);
}

/* Whether this user can reach the current directory by a path. */
static bool is_current(const char *path)
{
	struct stat there, here;

	return stat(path, &there) == 0 && stat(".", &here) == 0 &&
		there.st_dev == here.st_dev && there.st_ino == here.st_ino;
}

/*
 * Put the current directory before a relative path. Returns NULL where the
 * directory has no path, or no memory is left.
 */
static char *make_absolute(const char *path)
{
	char *directory = getcwd(NULL, 0), *absolute = NULL;

	if (directory && is_current(directory) &&
	    asprintf(&absolute, "%s/%s", directory, path) < 0)
		absolute = NULL;
	free(directory);
	return absolute;
}

void vmsi_let_go_of_directory(const char **path)
{
	if (path && *path && **path != '/') {
		const char *absolute = make_absolute(*path);

		if (!absolute)
			return;
		*path = absolute;
	}
	/* The process stays where the user may not enter the root directory. */
	if (chdir("/"))
		return;
}
