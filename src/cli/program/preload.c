/* SPDX-License-Identifier: MIT */
#include "cli/program/preload.h"

#include <errno.h>
#include <elf.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Write the directory of the command itself. */
static bool own_directory(char directory[PATH_MAX])
{
	ssize_t length = readlink("/proc/self/exe", directory, PATH_MAX - 1);
	char *slash;

	if (length < 0)
		return false;
	directory[length] = '\0';
	slash = strrchr(directory, '/');
	if (slash)
		*slash = '\0';
	return slash;
}

/* Write the path of a file, absolute and without symbolic links, if it exists. */
static bool is_there(const char *directory, const char *between,
		     const char *name, char path[PATH_MAX])
{
	char tried[PATH_MAX];
	int length = snprintf(tried, sizeof(tried), "%s/%s/%s", directory,
			      between, name);

	return length > 0 && length < PATH_MAX && realpath(tried, path);
}

/*
 * Search VMSPACE_LIBDIR alone if it is set; otherwise the library directory
 * beside that of the command, its build tree, and the directory that the build
 * would install to.
 */
static bool find(const char *name, char path[PATH_MAX])
{
	const char *wish = getenv("VMSPACE_LIBDIR");
	char own[PATH_MAX];

	if (wish && *wish)
		return is_there(wish, ".", name, path);
	return (own_directory(own) &&
		(is_there(own, VMSI_TO_LIBDIR, name, path) ||
		 is_there(own, "../preload", name, path) ||
		 is_there(own, "../failing", name, path))) ||
		is_there(VMSI_LIBDIR, ".", name, path);
}

static void complain_of_place(const char *name)
{
	const char *wish = getenv("VMSPACE_LIBDIR");
	char own[PATH_MAX];

	if (wish && *wish)
		vmsi_complain(name, "is not there: VMSPACE_LIBDIR is %s",
				  wish);
	else if (!own_directory(own))
		vmsi_complain(name, "cannot be found where /proc is not "
				  "mounted, unless VMSPACE_LIBDIR says where");
	else
		vmsi_complain(name, "is not there");
}

enum vmsi_exit vmsi_preload_find(const char *name, char path[PATH_MAX],
				 struct vmsi_elf *library)
{
	int error;

	if (!find(name, path)) {
		complain_of_place(name);
		return VMSI_EXIT_RUN_FAILED;
	}
	error = vmsi_elf_read(path, library);
	if (error || library->type != ET_DYN) {
		vmsi_complain(path, "is no library that can be used: %s",
				  strerror(error ? -error : ENOEXEC));
		return VMSI_EXIT_RUN_FAILED;
	}
	/*
	 * In LD_PRELOAD a space and a colon are separators, and $ begins a
	 * variable.
	 */
	if (strpbrk(path, " :$")) {
		vmsi_complain(path, "the loader cannot take it: the path "
				  "has a space, a colon or a $");
		return VMSI_EXIT_RUN_FAILED;
	}
	return VMSI_EXIT_OK;
}

static int set_preload(const char *library)
{
	const char *before = getenv("LD_PRELOAD");
	char *value;
	int result;

	if (!before || !*before)
		return setenv("LD_PRELOAD", library, 1);
	if (asprintf(&value, "%s:%s", library, before) < 0)
		return -1;
	result = setenv("LD_PRELOAD", value, 1);
	free(value);
	return result;
}

/* Whether a line of "loader --list", "\tPATH (ADDRESS)", names the library. */
static bool names_library(const char *line, const char *library)
{
	size_t length = strlen(library);

	return line[0] == '\t' && strncmp(line + 1, library, length) == 0 &&
		line[1 + length] == ' ';
}

static bool list_has(FILE *list, const char *library)
{
	char *line = NULL;
	size_t size = 0;
	bool found = false;

	while (getline(&line, &size, list) > 0)
		found = found || names_library(line, library);
	free(line);
	return found;
}

/*
 * Start "loader --list binary" with its output into a pipe. The path has no
 * symbolic links, since the loader takes $ORIGIN from it, as the kernel does from
 * the file.
 */
static pid_t start_list(const struct vmsi_program *program, int output)
{
	char binary[PATH_MAX];
	char *const arguments[] = {
		(char *)program->elf.interpreter, (char *)"--list", binary,
		NULL,
	};
	posix_spawn_file_actions_t actions;
	pid_t child;
	int error;

	if (!realpath(program->binary, binary))
		return -1;
	if (posix_spawn_file_actions_init(&actions))
		return -1;
	error = posix_spawn_file_actions_adddup2(&actions, output,
						 STDOUT_FILENO);
	if (!error)
		error = posix_spawn(&child, arguments[0], &actions, NULL,
				    arguments, environ);
	posix_spawn_file_actions_destroy(&actions);
	return error ? -1 : child;
}

/*
 * Whether the loader loads the library. Where it cannot, it only warns and runs
 * the program without it; so it is asked before to list what it would load.
 */
static bool is_loaded(const struct vmsi_program *program, const char *library)
{
	bool found = false;
	int ends[2];
	FILE *list;
	pid_t child;

	if (pipe2(ends, O_CLOEXEC))
		return false;
	child = start_list(program, ends[1]);
	close(ends[1]);
	list = fdopen(ends[0], "r");
	if (list) {
		found = list_has(list, library);
		fclose(list);
	} else {
		close(ends[0]);
	}
	if (child > 0)
		while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
			;
	return found;
}

enum vmsi_exit vmsi_preload_put(const struct vmsi_program *program,
				const char *library)
{
	if (set_preload(library)) {
		vmsi_complain(library, "%s", strerror(errno));
		return VMSI_EXIT_RUN_FAILED;
	}
	if (!is_loaded(program, library)) {
		vmsi_complain(library, "%s does not load it",
				  program->elf.interpreter);
		return VMSI_EXIT_RUN_FAILED;
	}
	return VMSI_EXIT_OK;
}
