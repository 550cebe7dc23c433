/* SPDX-License-Identifier: MIT */
#include "scratch.h"

#include <dirent.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "group.h"

static char directory[4096];
static pid_t owner, guard;
/* Every process of the run has the end for writing: the guard reads until none has it. */
static int ends[2];

static _Noreturn void fail(const char *what)
{
	perror(what);
	_exit(1);
}

static void remove_directory(void)
{
	DIR *listing = opendir(directory);
	const struct dirent *entry;
	char path[sizeof(directory) + 257];

	while (listing && (entry = readdir(listing)) != NULL) {
		snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
		(void)unlink(path);
	}
	if (listing)
		(void)closedir(listing);
	(void)rmdir(directory);
}

static _Noreturn void keep_guard(void (*undo)(const char *directory))
{
	static const int ignored[] = { SIGHUP, SIGINT, SIGTERM, SIGQUIT };
	char byte;

	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		(void)signal(ignored[i], SIG_IGN);
	(void)setsid();
	/* Who waits for the end of the run's output is not to wait for the guard. */
	for (int fd = 0; fd < 3; fd++)
		(void)close(fd);
	(void)close(ends[1]);
	while (read(ends[0], &byte, 1) > 0)
		;
	if (undo)
		undo(directory);
	group_remove_all(owner);
	remove_directory();
	_exit(0);
}

static void wait_for_guard(void)
{
	if (getpid() != owner)
		return;
	(void)close(ends[1]);
	(void)waitpid(guard, NULL, 0);
}

const char *scratch_make(void (*undo)(const char *directory))
{
	const char *below = getenv("VMS_BENCH_DIRECTORY");

	owner = getpid();
	snprintf(directory, sizeof(directory), "%s/vmspace-bench-XXXXXX",
		 below ? below : ".");
	(void)fflush(NULL);
	if (pipe(ends) != 0)
		fail("pipe");
	if (!mkdtemp(directory))
		fail(directory);
	guard = fork();
	if (guard < 0)
		fail("fork");
	if (guard == 0)
		keep_guard(undo);
	(void)close(ends[0]);
	if (atexit(wait_for_guard) != 0)
		fail("atexit");
	return directory;
}

void scratch_end_with_parent(int parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
		_exit(1);
}
