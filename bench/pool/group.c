/* SPDX-License-Identifier: MIT */
#include "group.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The hierarchy of memory, of version 1 or 2, and the file of the limit there. */
static const struct { const char *root, *limit; } hierarchies[] = {
	{ "/sys/fs/cgroup/memory", "memory.limit_in_bytes" },
	{ "/sys/fs/cgroup", "memory.max" },
};

#define HIERARCHIES (sizeof(hierarchies) / sizeof(hierarchies[0]))

static void path_of(char *path, size_t size, const char *root, int bench, int process)
{
	snprintf(path, size, "%s/vmspace-bench-%d-%d", root, bench, process);
}

static bool write_number(const char *directory, const char *name, size_t number)
{
	char path[256], text[32];
	const int length = snprintf(text, sizeof(text), "%zu", number);
	int fd;
	bool done;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	done = write(fd, text, (size_t)length) == length;
	(void)close(fd);
	return done;
}

bool group_enter(size_t limit)
{
	for (size_t i = 0; i < HIERARCHIES; i++) {
		char path[128];

		path_of(path, sizeof(path), hierarchies[i].root, getppid(), getpid());
		if (mkdir(path, 0755) != 0)
			continue;
		if (write_number(path, hierarchies[i].limit, limit) &&
		    write_number(path, "cgroup.procs", (size_t)getpid()))
			return true;
		(void)rmdir(path);
	}
	return false;
}

/* A process that ends has closed its files some moments before it is out of its group. */
static void remove_group(const char *path)
{
	for (int i = 0; i < 1000 && rmdir(path) != 0 && errno == EBUSY; i++)
		(void)usleep(10000);
}

void group_remove(int process)
{
	for (size_t i = 0; i < HIERARCHIES; i++) {
		char path[128];

		path_of(path, sizeof(path), hierarchies[i].root, getpid(), process);
		remove_group(path);
	}
}

void group_remove_all(int bench)
{
	char prefix[64], path[512];

	snprintf(prefix, sizeof(prefix), "vmspace-bench-%d-", bench);
	for (size_t i = 0; i < HIERARCHIES; i++) {
		DIR *listing = opendir(hierarchies[i].root);
		const struct dirent *entry;

		while (listing && (entry = readdir(listing)) != NULL) {
			if (strncmp(entry->d_name, prefix, strlen(prefix)) != 0)
				continue;
			snprintf(path, sizeof(path), "%s/%s", hierarchies[i].root,
				 entry->d_name);
			remove_group(path);
		}
		if (listing)
			(void)closedir(listing);
	}
}
