/* SPDX-License-Identifier: MIT */
#include "group/refresh/members.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "group/process/proc.h"
#include "text/scan.h"

/*
 * The supervisor becomes the parent of the group's orphans, so each process of
 * the group is a descendant of one that is known, or a child of the supervisor.
 * Children are read from /proc/PID/task/THREAD/children. On a kernel without
 * that file, processes that ask for nothing are not found.
 */

struct search {
	struct vms_group *group;
	long own_filters;             /* the supervisor's; -1: not yet read */
	size_t found;
};

static void visit_children(struct search *search, pid_t parent);

/*
 * Whether a child of the supervisor is of this group: it has a filter more than
 * the supervisor itself, and is not the first process of another group.
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
 * A child that has ended is listed until its parent waits for it. It has no
 * memory, so it need not be met; but for an orphan, which the supervisor has to
 * wait for.
 */
static bool is_worth_a_visit(struct search *search, pid_t child, pid_t parent)
{
	return parent == getpid() ? is_orphan(search, child) :
				    vmsi_proc_living_thread(child) != 0;
}

/*
 * Reap an orphan whose end was told while it had another parent, who has not waited for
 * it: to meet it again would tell of it twice. Whether it was one.
 */
static bool reap_known(const struct search *search, pid_t child)
{
	siginfo_t info = { .si_pid = 0 };

	return vmsi_process_is_known(search->group, child) &&
		vmsi_proc_living_thread(child) == 0 &&
		waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG) == 0;
}

static void visit_child(struct search *search, pid_t child, pid_t parent)
{
	if (vmsi_process_find(search->group, child) ||
	    !is_worth_a_visit(search, child, parent) ||
	    (parent == getpid() && reap_known(search, child)) ||
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
	size_t capacity = 0;
	uint64_t child;
	FILE *file;

	snprintf(name, sizeof name, "task/%.20s/children", thread);
	file = vmsi_proc_open(parent, name);
	if (!file)
		return;
	/* One line of numbers. */
	if (getline(&children, &capacity, file) > 0)
		numbers = vmsi_scan_text(children);
	while (vmsi_scan_column(&numbers, &child))
		visit_child(search, (pid_t)child, parent);
	fclose(file);
	free(children);
}

/* Each thread has its own children; when it ends, another thread gets them. */
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

/*
 * Where a parent ends during a search, its children are the supervisor's in the
 * next one. So it is made again until it finds nobody.
 */
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
