/* SPDX-License-Identifier: MIT */
#include "family.h"

#include <dirent.h>
#include <linux/kcmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The library has a process that wakes its tracer: it is of no group. */
static bool is_the_librarys(pid_t child, pid_t ancestor)
{
	return syscall(SYS_kcmp, child, ancestor, KCMP_VM, 0, 0) == 0;
}

static void add_children(pid_t parent, struct family *family)
{
	char path[300];
	struct dirent *entry;
	DIR *tasks;
	int child;

	snprintf(path, sizeof path, "/proc/%d/task", (int)parent);
	tasks = opendir(path);
	while (tasks && (entry = readdir(tasks))) {
		FILE *file;

		snprintf(path, sizeof path, "/proc/%d/task/%s/children",
			 (int)parent, entry->d_name);
		file = entry->d_name[0] == '.' ? NULL : fopen(path, "re");
		while (file && fscanf(file, "%d", &child) == 1 &&
		       family->count < FAMILY_MOST)
			family->list[family->count++] = (pid_t)child;
		if (file)
			fclose(file);
	}
	if (tasks)
		closedir(tasks);
}

/* One after the other: a tree is deeper than there may be descriptors. */
void find_family(pid_t ancestor, struct family *family)
{
	family->count = 0;
	add_children(ancestor, family);
	for (size_t i = family->count; i-- > 0;)
		if (is_the_librarys(family->list[i], ancestor))
			family->list[i] = family->list[--family->count];
	for (size_t i = 0; i < family->count; i++)
		add_children(family->list[i], family);
}
