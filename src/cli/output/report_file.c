/* SPDX-License-Identifier: MIT */
#include "cli/output/report_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "text/number.h"

enum vmsi_exit vmsi_report_take(const char *program, const char *option,
				const char *argument, const char **path)
{
	if (*argument == '-' && strcmp(argument, "-") != 0)
		return vmsi_usage_error(program, "%s needs a file, and '%s' is "
					"an option; a file of that name is "
					"./%s", option, argument, argument);
	*path = strcmp(argument, "-") == 0 ? "/dev/stdout" : argument;
	return VMSI_EXIT_OK;
}

/*
 * The descriptor that a path such as /dev/stdout names; -1: it names none. The
 * report is written to the descriptor itself: the caller may write to its file
 * before and after, and a new file in its place would hide that.
 */
static int named_descriptor(const char *path)
{
	static const char *const directories[] = {
		"/dev/fd/", "/proc/self/fd/",
	};
	int descriptor;

	if (strcmp(path, "/dev/stdout") == 0)
		return STDOUT_FILENO;
	if (strcmp(path, "/dev/stderr") == 0)
		return STDERR_FILENO;
	for (size_t i = 0; i < 2; i++) {
		const size_t length = strlen(directories[i]);

		if (strncmp(path, directories[i], length) == 0 &&
		    vmsi_parse_int(path + length, &descriptor))
			return descriptor;
	}
	return -1;
}

/*
 * Check that the descriptor is inherited from the caller and open for writing.
 * The command opens its own descriptors with the close-on-exec flag.
 */
static int probe_descriptor(int descriptor)
{
	const int flags = fcntl(descriptor, F_GETFD);

	return flags < 0 || (flags & FD_CLOEXEC) ||
		(fcntl(descriptor, F_GETFL) & O_ACCMODE) == O_RDONLY ?
		-EBADF : 0;
}

static bool is_writable_file(int descriptor, const struct stat *file)
{
	struct stat status;

	return probe_descriptor(descriptor) == 0 &&
		fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode) &&
		status.st_dev == file->st_dev && status.st_ino == file->st_ino;
}

/*
 * The caller's descriptor through which the program may write to the file of the
 * path, as in "--report=out > out"; -1: there is none. A new file in the place of
 * that one would hide what the program has written.
 */
static int descriptor_of_file(const char *path)
{
	DIR *directory = opendir("/proc/self/fd");
	const struct dirent *entry;
	struct stat file;
	int descriptor, found = -1;

	if (directory && stat(path, &file) == 0)
		while (found < 0 && (entry = readdir(directory)))
			if (vmsi_parse_int(entry->d_name, &descriptor) &&
			    is_writable_file(descriptor, &file))
				found = descriptor;
	if (directory)
		closedir(directory);
	return found;
}

static bool is_pipe(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 && S_ISFIFO(status.st_mode);
}

/*
 * Check that a file can be written, by opening it. A file that this has made is
 * removed again, since the program may fail to start.
 */
static int probe_path(const char *path)
{
	const int flags = O_WRONLY | O_CREAT | O_CLOEXEC;
	int descriptor = open(path, flags | O_EXCL, 0666);
	const bool made = descriptor >= 0;

	if (!made && errno == EEXIST) {
		/*
		 * A named pipe is not opened: its reader would see the end when
		 * it is closed.
		 */
		if (is_pipe(path))
			return 0;
		descriptor = open(path, flags, 0666);
	}
	if (descriptor < 0)
		return -errno;
	close(descriptor);
	if (made)
		unlink(path);
	return 0;
}

bool vmsi_report_probe(const char **path)
{
	const int named = named_descriptor(*path);
	const int error = named >= 0 ? probe_descriptor(named) :
				       probe_path(*path);
	int open_already;

	if (error) {
		vmsi_complain(*path, "%s", strerror(-error));
		return false;
	}
	open_already = named >= 0 ? -1 : descriptor_of_file(*path);
	if (open_already >= 0) {
		char *descriptor_path;

		/* It is used until the command ends. */
		if (asprintf(&descriptor_path, "/dev/fd/%d", open_already) > 0)
			*path = descriptor_path;
	}
	return true;
}

static int write_to(const char *text, int file)
{
	const int own = fcntl(file, F_DUPFD_CLOEXEC, 0);
	FILE *stream = own >= 0 ? fdopen(own, "w") : NULL;
	int failed;

	if (!stream) {
		if (own >= 0)
			close(own);
		return 1;
	}
	failed = fputs(text, stream) == EOF;
	return fclose(stream) || failed;
}

/*
 * Write a new file with the owner and the rights of the old one. name is a
 * template of mkostemp(3), and becomes the path of the file.
 */
static int write_beside(const char *text, char *name,
			const struct stat *old)
{
	const int file = mkostemp(name, O_CLOEXEC);
	int failed;

	if (file < 0)
		return 1;
	failed = fchown(file, old->st_uid, old->st_gid) ||
		fchmod(file, old->st_mode & 07777) ||
		write_to(text, file);
	failed |= close(file);
	if (failed)
		unlink(name);
	return failed;
}

/*
 * Replace a file by rename(2), so that a reader gets the old report or the new
 * one, and never a part.
 */
static int replace_file(const char *text, const char *path,
			const struct stat *old)
{
	char *name = NULL;
	int failed = asprintf(&name, "%s.XXXXXX", path) < 0;

	if (failed)
		return failed;
	failed = write_beside(text, name, old);
	if (!failed && rename(name, path)) {
		unlink(name);
		failed = 1;
	}
	free(name);
	return failed;
}

/*
 * The path of a file without symbolic links, so that a link stays one. A missing
 * file is made.
 */
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

/*
 * Write to what is there. With O_NONBLOCK the open of a named pipe without a
 * reader fails, and does not wait for one.
 */
static int write_through(const char *text, const char *path)
{
	const int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK |
			      O_CLOEXEC, 0666);
	int failed;

	if (file < 0)
		return 1;
	failed = fcntl(file, F_SETFL, 0) || write_to(text, file);
	return close(file) || failed;
}

/*
 * Replace a regular file. Write to what is no regular file, and to one in a
 * directory where no other file can be made.
 */
static int write_to_path(const char *text, const char *path)
{
	struct stat status;
	char *real = real_path(path);
	const int failed = !real || stat(real, &status) ||
		!S_ISREG(status.st_mode) || replace_file(text, real, &status);

	free(real);
	return failed && write_through(text, path);
}

bool vmsi_report_write_text(const char *text, const char *path)
{
	const int named = named_descriptor(path);

	if (!(named >= 0 ? write_to(text, named) : write_to_path(text, path)))
		return true;
	vmsi_complain(path, "cannot write the report: %s", strerror(errno));
	return false;
}

bool vmsi_report_write(const json_t *all, const char *path)
{
	char *object = json_dumps(all, JSON_INDENT(1)), *text;
	bool written;

	if (!object || asprintf(&text, "%s\n", object) < 0) {
		vmsi_complain(path, "cannot write the report: %s",
			      strerror(ENOMEM));
		free(object);
		return false;
	}
	free(object);
	written = vmsi_report_write_text(text, path);
	free(text);
	return written;
}
