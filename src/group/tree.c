/* SPDX-License-Identifier: MIT */
#include "group/state.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/*
 * The supervisor is the parent of the group's orphans, so whoever lives in the
 * group descends from a process that is known, or from the supervisor. Children
 * are read from /proc/PID/task/THREAD/children; a kernel without that file
 * leaves those out that ask for nothing.
 */

struct search {
	struct vms_group *group;
	size_t found;
};

static void visit_child(struct search *search, pid_t child, pid_t parent);

static void read_children(struct search *search, const char *path, pid_t parent)
{
	FILE *file = fopen(path, "re");
	int child;

	if (!file)
		return;
	while (fscanf(file, "%d", &child) == 1)
		visit_child(search, (pid_t)child, parent);
	fclose(file);
}

static void visit_children(struct search *search, pid_t parent)
{
	char path[80];
	struct dirent *entry;
	DIR *threads;

	snprintf(path, sizeof path, "/proc/%d/task", (int)parent);
	threads = opendir(path);
	if (!threads)
		return;
	while ((entry = readdir(threads))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof path, "/proc/%d/task/%.20s/children",
			 (int)parent, entry->d_name);
		read_children(search, path, parent);
	}
	closedir(threads);
}

static void visit_child(struct search *search, pid_t child, pid_t parent)
{
	if (vmsi_process_find(search->group, child))
		return;
	if (!vmsi_process_get(search->group, child, parent))
		return;
	search->found++;
	visit_children(search, child);
}

/* Filters on a process; a kernel that does not count them says whether. */
static int filters_on(pid_t pid)
{
	char path[40], line[128];
	int mode = 0, filters = -1;
	FILE *file;

	snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	while (fgets(line, sizeof line, file)) {
		(void)sscanf(line, "Seccomp: %d", &mode);
		if (sscanf(line, "Seccomp_filters: %d", &filters) == 1)
			break;
	}
	fclose(file);
	return filters >= 0 ? filters : mode == SECCOMP_MODE_FILTER;
}

/*
 * Of the supervisor's children those that run under a filter more than it does
 * itself, and are not the first of another group.
 */
static bool is_orphan(const struct vms_group *group, pid_t pid)
{
	return (pid == group->first || !vmsi_group_is_first(pid)) &&
		filters_on(pid) > filters_on(getpid());
}

static void adopt_orphans(struct search *search)
{
	char path[80];
	FILE *file;
	int child;

	snprintf(path, sizeof path, "/proc/self/task/%d/children",
		 (int)gettid());
	file = fopen(path, "re");
	if (!file)
		return;
	while (fscanf(file, "%d", &child) == 1)
		if (!vmsi_process_find(search->group, (pid_t)child) &&
		    is_orphan(search->group, (pid_t)child))
			visit_child(search, (pid_t)child, getpid());
	fclose(file);
}

void vmsi_tree_adopt(struct vms_group *group)
{
	struct search search = { .group = group };

	adopt_orphans(&search);
}

static bool visit_known(struct vms_group *group, struct vmsi_process *process,
			void *context)
{
	(void)group;
	visit_children(context, process->pid);
	return true;
}

/* A process whose parent ends meanwhile is the supervisor's the next time. */
void vmsi_tree_discover(struct vms_group *group)
{
	struct search search = { .group = group };

	do {
		search.found = 0;
		vmsi_processes_each(group, visit_known, &search);
		adopt_orphans(&search);
	} while (search.found);
}
