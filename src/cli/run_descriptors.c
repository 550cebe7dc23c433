/* SPDX-License-Identifier: MIT */
#include "run_commit.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * Who reads what the program writes waits until the last process has closed the
 * pipe, and who writes to the program hears of its end only then. So the
 * command's own processes must not keep what they have inherited for it.
 *
 * A descriptor that came through execve(2) has no close-on-exec flag, and every
 * one that the command has opened itself has one: this tells them apart also
 * where the caller had closed a stream and its number was used again.
 */

static bool is_inherited(int descriptor)
{
	const int flags = fcntl(descriptor, F_GETFD);

	return flags >= 0 && !(flags & FD_CLOEXEC);
}

/* "--report /dev/stdout" and "--report >(reader)" name an open descriptor. */
static bool is_file(int descriptor, const struct stat *file)
{
	struct stat status;

	return file && fstat(descriptor, &status) == 0 &&
		status.st_dev == file->st_dev && status.st_ino == file->st_ino;
}

static void let_go_of_stream(int stream, int nothing, const struct stat *kept)
{
	if (is_inherited(stream) && !is_file(stream, kept))
		(void)dup2(nothing, stream);
}

static void let_go_of_one(int descriptor, const struct stat *kept)
{
	if (descriptor > STDERR_FILENO && is_inherited(descriptor) &&
	    !is_file(descriptor, kept))
		close(descriptor);
}

static void let_go_of_others(const struct stat *kept)
{
	DIR *directory = opendir("/proc/self/fd");
	const struct dirent *entry;

	if (!directory) {
		const int end = (int)sysconf(_SC_OPEN_MAX);

		for (int i = STDERR_FILENO + 1; i < end; i++)
			let_go_of_one(i, kept);
		return;
	}
	while ((entry = readdir(directory)))
		let_go_of_one(atoi(entry->d_name), kept);
	closedir(directory);
}

void vmsi_let_go_of_descriptors(const char *kept_file)
{
	const int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct stat status;
	const struct stat *kept = kept_file && stat(kept_file, &status) == 0 ?
		&status : NULL;

	if (nothing >= 0) {
		let_go_of_stream(STDIN_FILENO, nothing, kept);
		let_go_of_stream(STDOUT_FILENO, nothing, kept);
	}
	if (nothing > STDERR_FILENO)
		close(nothing);
	let_go_of_others(kept);
}
