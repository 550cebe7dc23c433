/* SPDX-License-Identifier: MIT */
#include "cli/program/program.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Returns 0, or the -errno that execve(2) would give before it reads the file. */
static int can_execute(const char *path)
{
	struct stat status;

	if (stat(path, &status))
		return -errno;
	if (!S_ISREG(status.st_mode))
		return -EACCES;
	return faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) ? -errno : 0;
}

/* Write "directory/name" to path; an empty directory is the current one. */
static int join(char path[PATH_MAX], const char *directory, size_t length,
		const char *name)
{
	int written = snprintf(path, PATH_MAX, "%.*s%s/%s", (int)length,
			       directory, length ? "" : ".", name);

	return written < 0 || written >= PATH_MAX ? -ENAMETOOLONG : 0;
}

/*
 * Search PATH for a name. As execvp(3), it answers EACCES where it has met a file
 * that cannot be executed, and no other.
 */
static int search(const char *name, char path[PATH_MAX])
{
	const char *next = getenv("PATH");
	int result = -ENOENT;

	if (!next)
		next = "/bin:/usr/bin";
	for (;;) {
		size_t length = strcspn(next, ":");
		int error = join(path, next, length, name);

		if (!error)
			error = can_execute(path);
		if (!error)
			return 0;
		if (error == -EACCES)
			result = error;
		if (!next[length])
			return result;
		next += length + 1;
	}
}

static int find_path(const char *name, char path[PATH_MAX])
{
	if (!*name)
		return -ENOENT;
	if (!strchr(name, '/'))
		return search(name, path);
	if (strlen(name) >= PATH_MAX)
		return -ENAMETOOLONG;
	memcpy(path, name, strlen(name) + 1);
	return can_execute(path);
}

/* The kernel reads so many bytes of a script. */
#define FIRST_LINE 256

/*
 * Read the interpreter that a file names in its first line. Returns 1; 0 where
 * the file is no script; or -errno.
 */
static int read_script(const char *path, char interpreter[PATH_MAX])
{
	char line[FIRST_LINE] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t count;
	char *start;
	size_t length;

	if (fd < 0)
		return -errno;
	count = read(fd, line, sizeof(line) - 1);
	if (count < 0)
		count = -errno;
	close(fd);
	if (count < 0)
		return (int)count;
	if (strncmp(line, "#!", 2) != 0)
		return 0;
	start = line + 2 + strspn(line + 2, " \t");
	length = strcspn(start, " \t\n");
	/* The kernel refuses a path that may go on behind what it has read. */
	if (length == 0 || start + length == line + sizeof(line) - 1)
		return -ENOEXEC;
	memcpy(interpreter, start, length);
	interpreter[length] = '\0';
	return 1;
}

/* The kernel follows at most so many scripts whose interpreter is a script. */
#define SCRIPTS 5

static int find_binary(struct vmsi_program *program)
{
	memcpy(program->binary, program->path, sizeof(program->binary));
	for (int i = 0; i <= SCRIPTS; i++) {
		int script = read_script(program->binary, program->binary);

		if (script <= 0)
			return script;
		if (can_execute(program->binary))
			return can_execute(program->binary);
	}
	return -ELOOP;
}

static enum vmsi_exit explain(const struct vmsi_program *program, int error)
{
	bool found = program->binary[0] != '\0';

	if (found && strcmp(program->binary, program->path) != 0)
		vmsi_complain(program->binary,
				  "the interpreter of a script: %s",
				  strerror(-error));
	else if (found && error == -ENOEXEC)
		vmsi_complain(program->name, "is neither a program nor a "
				  "script with #!");
	else if (found && error == -EACCES)
		vmsi_complain(program->name, "cannot be read, and so not "
				  "be checked");
	else
		vmsi_complain(program->name, "%s", strerror(-error));
	if (!found && (error == -ENOENT || error == -ENOTDIR))
		return VMSI_EXIT_NOT_FOUND;
	return VMSI_EXIT_CANNOT_RUN;
}

enum vmsi_exit vmsi_program_look_up(const char *name, struct vmsi_program *program)
{
	int error;

	memset(program, 0, sizeof(*program));
	program->name = name;
	error = find_path(name, program->path);
	return error ? explain(program, error) : VMSI_EXIT_OK;
}

int vmsi_program_try(const char *name, struct vmsi_program *program)
{
	int error;

	memset(program, 0, sizeof(*program));
	program->name = name;
	error = find_path(name, program->path);
	if (!error)
		error = find_binary(program);
	return error ? error : vmsi_elf_read(program->binary, &program->elf);
}

enum vmsi_exit vmsi_program_find(const char *name, struct vmsi_program *program)
{
	const int error = vmsi_program_try(name, program);

	return error ? explain(program, error) : VMSI_EXIT_OK;
}

bool vmsi_program_is_this(const char *name)
{
	char path[PATH_MAX];
	struct stat named, own;

	return find_path(name, path) == 0 && stat(path, &named) == 0 &&
		stat("/proc/self/exe", &own) == 0 &&
		named.st_dev == own.st_dev && named.st_ino == own.st_ino;
}

/* Whether a file begins with these bytes. */
static bool begins_with(const char *path, const char *bytes)
{
	char start[4] = "";
	int file = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t count = file < 0 ? -1 : read(file, start, sizeof(start));

	if (file >= 0)
		close(file);
	return count >= (ssize_t)strlen(bytes) &&
		memcmp(start, bytes, strlen(bytes)) == 0;
}

enum vmsi_exit vmsi_program_explain_start(const char *name, const char *path,
				      int error)
{
	const char *why = strerror(error);

	if (error == ENOENT && begins_with(path, "#!"))
		why = "the interpreter of the script is not there";
	else if (error == ENOENT && begins_with(path, ELFMAG))
		why = "its loader, the ELF interpreter, is not there";
	else if (error == ENOEXEC && begins_with(path, ELFMAG))
		why = "it is built for another machine, or damaged";
	else if (error == ENOEXEC)
		why = "is neither a program nor a script with #!";
	vmsi_complain(name, "%s", why);
	return error == ENOENT ? VMSI_EXIT_NOT_FOUND : VMSI_EXIT_CANNOT_RUN;
}
