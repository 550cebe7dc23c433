/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "failing/parts.h"

/*
 * The program begins by calling __libc_start_main, when all its libraries have begun.
 * What they have allocated before does not count. From then on the environment and
 * the descriptors are those of a run without this library.
 */

typedef int start_main(int (*program)(int, char **, char **), int argc,
		       char **argv, void (*init)(void), void (*fini)(void),
		       void (*rtld_fini)(void), void *stack_end);

/* --- the environment ------------------------------------------------------------ */

static bool is_variable(const char *entry, const char *name)
{
	const size_t length = strlen(name);

	return strncmp(entry, name, length) == 0 && entry[length] == '=';
}

static void remove_entry(char **entry)
{
	do
		entry[0] = entry[1];
	while (*entry++);
}

/*
 * Take the first library out of the list; the entry may be changed in place, since
 * exec has made it for this process.
 */
static bool remove_first(char *entry)
{
	char *list = strchr(entry, '=') + 1;
	const char *rest = strchr(list, ':');

	if (!rest)
		return false;
	memmove(list, rest + 1, strlen(rest + 1) + 1);
	return true;
}

/* Take out those that the command has put there. Returns whether others are left. */
static bool shorten(char *entry, unsigned libraries)
{
	while (libraries > 0 && remove_first(entry))
		libraries--;
	return libraries == 0;
}

/*
 * Remove what brought this library here. A library that has changed the environment
 * before may have made another array of the same strings: shortened is an entry that
 * was changed already.
 */
static char *restore_environment(char **environment, const char *shortened,
				 unsigned libraries)
{
	char *changed = NULL;

	while (*environment) {
		char *entry = *environment;

		if (is_variable(entry, VMSI_FAILING_VARIABLE) ||
		    (is_variable(entry, "LD_PRELOAD") && entry != shortened &&
		     !shorten(entry, libraries))) {
			remove_entry(environment);
			continue;
		}
		if (is_variable(entry, "LD_PRELOAD"))
			changed = entry;
		environment++;
	}
	return changed;
}

/* --- what the command has put there --------------------------------------------- */

static struct vmsi_failing_memory *attach(int file)
{
	struct stat status;
	void *memory = MAP_FAILED;

	if (fstat(file, &status) == 0 &&
	    status.st_size >= (off_t)offsetof(struct vmsi_failing_memory, stacks))
		memory = mmap(NULL, (size_t)status.st_size,
			      PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	close(file);
	return memory == MAP_FAILED ? NULL : memory;
}

static void begin(char **environment)
{
	const char *numbers = getenv(VMSI_FAILING_VARIABLE);
	struct vmsi_failing_memory *memory;
	const char *shortened;
	char *rest;
	int file, socket, report;
	unsigned libraries;

	if (!numbers)
		return;
	file = (int)strtol(numbers, &rest, 10);
	socket = (int)strtol(rest, &rest, 10);
	report = (int)strtol(rest, NULL, 10);
	libraries = report >= 0 ? 2 : 1;
	memory = attach(file);
	if (!memory)
		_exit(127);
	shortened = restore_environment(environment, NULL, libraries);
	if (environ != environment)
		restore_environment(environ, shortened, libraries);
	if (socket >= 0)
		vmsi_failing_serve(socket);
	if (report >= 0)
		vmsi_failing_watch_leaks(memory, report);
	vmsi_failing_begin(memory);
}

VMSI_EXPORTED start_main __libc_start_main;

VMSI_EXPORTED int __libc_start_main(int (*program)(int, char **, char **),
				    int argc, char **argv, void (*init)(void),
				    void (*fini)(void), void (*rtld_fini)(void),
				    void *stack_end)
{
	start_main *next = (start_main *)vmsi_failing_find("__libc_start_main");
	const int error = errno;

	/* Look all definitions up, so that no allocation of the program has to. */
	(void)vmsi_failing_next();
	begin(argv + argc + 1);
	errno = error;
	return next(program, argc, argv, init, fini, rtld_fini, stack_end);
}
