/* SPDX-License-Identifier: MIT */
#include "cli/output/report_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/numbers.h"
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
	struct stat file;
	int descriptor, found = -1;

	if (directory && stat(path, &file) == 0)
		while (found < 0 && vmsi_next_number(directory, &descriptor))
			if (is_writable_file(descriptor, &file))
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

/* --- writing ---------------------------------------------------------------------- */

/* Returns 0, or -errno of what has failed; the stream is closed. */
static int finish(FILE *stream, int error)
{
	const bool has_failed = ferror(stream);

	if (!error && has_failed)
		error = errno ? -errno : -EIO;
	if (fclose(stream) && !error)
		error = -errno;
	return error;
}

static int write_to(const struct vmsi_report_writer *writer, int file)
{
	const int own = fcntl(file, F_DUPFD_CLOEXEC, 0);
	FILE *stream = own >= 0 ? fdopen(own, "w") : NULL;
	int error = -errno;

	if (stream)
		return finish(stream, writer->write(stream, writer->context));
	if (own >= 0)
		close(own);
	return error;
}

/* Whether the file could be made if there were room: then what is there stays. */
static bool has_no_room(int error)
{
	return error == ENOSPC || error == EDQUOT;
}

/* Make a file that may take the place of the old one. Returns a descriptor, or -errno. */
static int make_beside(char *template, const struct stat *old)
{
	const int file = mkostemp(template, O_CLOEXEC);
	int error;

	if (file < 0)
		return -errno;
	if (fchown(file, old->st_uid, old->st_gid) == 0 &&
	    fchmod(file, old->st_mode & 07777) == 0)
		return file;
	error = -errno;
	close(file);
	unlink(template);
	return error;
}

/*
 * Replace a file by rename(2), so that a reader gets the old report or the new one,
 * and never a part. Where it cannot be written, the old one stays. *is_possible becomes
 * false where no other file can take its place.
 */
static int replace_file(const struct vmsi_report_writer *writer, const char *path,
			const struct stat *old, bool *is_possible)
{
	char *name = NULL;
	int file, error;

	*is_possible = true;
	if (asprintf(&name, "%s.XXXXXX", path) < 0)
		return -ENOMEM;
	file = make_beside(name, old);
	if (file < 0) {
		*is_possible = has_no_room(-file);
		free(name);
		return file;
	}
	error = write_to(writer, file);
	if (close(file) && !error)
		error = -errno;
	if (!error && rename(name, path)) {
		error = -errno;
		*is_possible = false;
	}
	if (error)
		unlink(name);
	free(name);
	return error;
}

/*
 * The path of a file without symbolic links, so that a link stays one. A missing
 * file is made, and *is_made is set.
 */
static char *real_path(const char *path, bool *is_made)
{
	char *real = realpath(path, NULL);
	int file;

	*is_made = false;
	if (real || errno != ENOENT)
		return real;
	file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
	if (file < 0)
		return NULL;
	close(file);
	*is_made = true;
	return realpath(path, NULL);
}

/*
 * Write to what is there. With O_NONBLOCK the open of a named pipe without a
 * reader fails, and does not wait for one.
 */
static int write_through(const struct vmsi_report_writer *writer, const char *path)
{
	const int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK |
			      O_CLOEXEC, 0666);
	int error;

	if (file < 0)
		return -errno;
	error = fcntl(file, F_SETFL, 0) ? -errno : write_to(writer, file);
	/* Half a report could be taken for a whole one. */
	if (error)
		(void)!ftruncate(file, 0);
	return close(file) && !error ? -errno : error;
}

/*
 * Replace a regular file. Write to what is no regular file, and to one in a
 * directory where no other file can be made.
 */
static int write_to_path(const struct vmsi_report_writer *writer, const char *path)
{
	bool is_made, is_possible = false;
	struct stat status;
	char *real = real_path(path, &is_made);
	int error = 0;

	if (real && stat(real, &status) == 0 && S_ISREG(status.st_mode))
		error = replace_file(writer, real, &status, &is_possible);
	if (!is_possible)
		error = write_through(writer, path);
	if (error && is_made)
		unlink(real);
	free(real);
	return error;
}

bool vmsi_report_write_by(const struct vmsi_report_writer *writer, const char *path)
{
	const int named = named_descriptor(path);
	const int error = named >= 0 ? write_to(writer, named) :
				       write_to_path(writer, path);

	if (error)
		vmsi_complain(path, "cannot write the report: %s",
			      strerror(-error));
	return !error;
}

static int write_text(FILE *stream, const void *text)
{
	fputs(text, stream);
	return 0;
}

bool vmsi_report_write_text(const char *text, const char *path)
{
	const struct vmsi_report_writer writer = { write_text, text };

	return vmsi_report_write_by(&writer, path);
}

static int write_json(FILE *stream, const void *all)
{
	if (json_dumpf(all, stream, JSON_INDENT(1)) && !ferror(stream))
		return -ENOMEM;
	fputc('\n', stream);
	return 0;
}

bool vmsi_report_write(const json_t *all, const char *path)
{
	const struct vmsi_report_writer writer = { write_json, all };

	return vmsi_report_write_by(&writer, path);
}
