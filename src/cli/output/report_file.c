/* SPDX-License-Identifier: MIT */
#include "cli/output/report_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/program/program.h"

static bool is_pipe(const char *file)
{
	struct stat status;

	return stat(file, &status) == 0 && S_ISFIFO(status.st_mode);
}

/*
 * To find out at the end would be late. What is made for it is taken away again,
 * as the program may not start.
 */
bool vmsi_report_can_write(const char *file)
{
	const int flags = O_WRONLY | O_CREAT | O_CLOEXEC;
	int descriptor = open(file, flags | O_EXCL, 0666);
	const bool made = descriptor >= 0;

	if (!made && errno == EEXIST) {
		/* Who reads a pipe would take this for the end. */
		if (is_pipe(file))
			return true;
		descriptor = open(file, flags, 0666);
	}
	if (descriptor < 0) {
		vmsi_complain(file, "%s", strerror(errno));
		return false;
	}
	close(descriptor);
	if (made)
		unlink(file);
	return true;
}

/* A name that nothing else has; the rights of the old one. */
static int write_beside(const json_t *all, char *name,
			const struct stat *old)
{
	const int file = mkostemp(name, O_CLOEXEC);
	int failed;

	if (file < 0)
		return 1;
	failed = fchown(file, old->st_uid, old->st_gid) ||
		fchmod(file, old->st_mode & 07777) ||
		json_dumpfd(all, file, JSON_INDENT(1));
	failed |= close(file);
	if (failed)
		unlink(name);
	return failed;
}

/* In place of the old one at once: somebody may be reading that. */
static int replace_file(const json_t *all, const char *path,
			const struct stat *old)
{
	char *name = NULL;
	int failed = asprintf(&name, "%s.XXXXXX", path) < 0;

	if (failed)
		return failed;
	failed = write_beside(all, name, old);
	if (!failed && rename(name, path)) {
		unlink(name);
		failed = 1;
	}
	free(name);
	return failed;
}

/* Where there is none it is made, with the rights that the umask leaves. */
static char *real_path(const char *path)
{
	char *real = realpath(path, NULL);
	int file;

	if (real || errno != ENOENT)
		return real;
	file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
	if (file < 0)
		return NULL;
	close(file);
	return realpath(path, NULL);
}

/* Of a pipe nobody may be at the other end: that is not waited for. */
static int write_through(const json_t *all, const char *path)
{
	const int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK |
			      O_CLOEXEC, 0666);
	int failed;

	if (file < 0)
		return 1;
	failed = fcntl(file, F_SETFL, 0) || json_dumpfd(all, file,
							 JSON_INDENT(1));
	return close(file) || failed;
}

/* What is no file, or lies where none can be made, is written to itself. */
bool vmsi_report_write(const json_t *all, const char *path)
{
	struct stat status;
	char *real = real_path(path);
	int failed = !real || stat(real, &status) ||
		!S_ISREG(status.st_mode) || replace_file(all, real, &status);

	free(real);
	if (failed && write_through(all, path)) {
		vmsi_complain(path, "cannot write the report: %s",
				  strerror(errno));
		return false;
	}
	return true;
}
