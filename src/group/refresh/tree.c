/* SPDX-License-Identifier: MIT */
#include "group/refresh/members.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "group/process/proc.h"
#include "text/scan.h"

/*
 * The supervisor is the parent of the group's orphans, so whoever lives in the
 * group descends from a process that is known, or from the supervisor. Children
 * are read from /proc/PID/task/THREAD/children; a kernel without that file
 * leaves those out that ask for nothing.
 */

struct search {
	struct vms_group *group;
	long own_filters;             /* the supervisor's; -1: not yet read */
	size_t found;
};

static void visit_children(struct search *search, pid_t parent);

/*
 * Of the supervisor's children those that run under a filter more than it does
 * itself, and are not the first of another group.
 */
static bool is_orphan(struct search *search, pid_t child)
{
	if (child != search->group->members.first && vmsi_group_is_first(child))
		return false;
	if (search->own_filters < 0)
		search->own_filters = vmsi_proc_filters(getpid());
	return vmsi_proc_filters(child) > search->own_filters;
}

/*
 * A child that has ended and that its parent has not waited for is listed for as
 * long as that takes. It has no memory, and its end was told if it was known. Who
 * is to wait for an orphan is the supervisor.
 */
static bool is_worth_a_visit(struct search *search, pid_t child, pid_t parent)
{
	return parent == getpid() ? is_orphan(search, child) :
				    vmsi_proc_living_thread(child) != 0;
}

static void visit_child(struct search *search, pid_t child, pid_t parent)
{
	if (vmsi_process_find(search->group, child) ||
	    !is_worth_a_visit(search, child, parent) ||
	    !vmsi_meet(search->group, child))
		return;
	search->found++;
	visit_children(search, child);
}

static void read_children(struct search *search, pid_t parent,
			  const char *thread)
{
	char name[64], *children = NULL;
	struct vmsi_scan numbers = { NULL, NULL };
	size_t room = 0;
	uint64_t child;
	FILE *file;

	snprintf(name, sizeof name, "task/%.20s/children", thread);
	file = vmsi_proc_open(parent, name);
	if (!file)
		return;
	/* One line of numbers. */
	if (getline(&children, &room, file) > 0)
		numbers = vmsi_scan_text(children);
	while (vmsi_scan_column(&numbers, &child))
		visit_child(search, (pid_t)child, parent);
	fclose(file);
	free(children);
}

/* Of each thread: those of one that has ended are another's. */
static void visit_children(struct search *search, pid_t parent)
{
	DIR *threads = vmsi_proc_open_threads(parent);
	struct dirent *entry;

	if (!threads)
		return;
	while ((entry = readdir(threads)))
		if (entry->d_name[0] != '.')
			read_children(search, parent, entry->d_name);
	closedir(threads);
}

void vmsi_tree_adopt(struct vms_group *group)
{
	struct search search = { .group = group, .own_filters = -1 };

	visit_children(&search, getpid());
}

/* A process whose parent ends meanwhile is the supervisor's the next time. */
void vmsi_tree_discover(struct vms_group *group)
{
	struct search search = { .group = group, .own_filters = -1 };
	const struct vmsi_process *process;

	do {
		search.found = 0;
		process = NULL;
		while ((process = vmsi_process_next(group, process)))
			visit_children(&search, process->pid);
		visit_children(&search, getpid());
	} while (search.found);
}
