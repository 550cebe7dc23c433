/* SPDX-License-Identifier: MIT */
#include "cli/commit/commit_budgets.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/array.h"
#include "cli/memfds.h"
#include "cli/numbers.h"
#include "procfs/file.h"
#include "procfs/status.h"

/* A walk over all processes. */
struct search {
	struct vmsi_budget_list *list;
	struct vmsi_memfds memfds;
	pid_t pid; /* whose descriptors these are */
};

/* A process counts once, however many descriptors of the budget it has. */
static int add_holder(struct vmsi_budget_seen *budget, pid_t pid)
{
	const size_t count = budget->holder_count;
	struct vmsi_budget_holder *holders;

	if (count > 0 && budget->holders[count - 1].pid == pid)
		return 0;
	holders = vmsi_with_capacity(budget->holders, count,
				 &budget->holder_capacity, sizeof(*holders));
	if (!holders)
		return -ENOMEM;
	budget->holders = holders;
	holders[count] = (struct vmsi_budget_holder){ .pid = pid };
	vmsi_process_name_read(holders[count].command, pid);
	budget->holder_count++;
	return 0;
}

static struct vmsi_budget_seen *find(const struct vmsi_budget_list *list,
				     const struct stat *status)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->budgets[i].device == status->st_dev &&
		    list->budgets[i].inode == status->st_ino)
			return &list->budgets[i];
	return NULL;
}

/*
 * Add a budget with the figures that are read from fd. Where fd is -errno the
 * budget has that error in place of figures.
 */
static struct vmsi_budget_seen *add(struct vmsi_budget_list *list,
				    const struct stat *status, int fd)
{
	struct vmsi_budget_seen *budgets =
		vmsi_with_capacity(list->budgets, list->count, &list->capacity,
			       sizeof(*budgets));
	struct vmsi_budget_seen *budget;

	if (!budgets)
		return NULL;
	list->budgets = budgets;
	budget = &budgets[list->count++];
	*budget = (struct vmsi_budget_seen){
		.device = status->st_dev,
		.inode = status->st_ino,
	};
	budget->error = fd < 0 ? fd : vmsi_budget_read(fd, &budget->figures);
	return budget;
}

static int note_budget(void *context, const struct stat *status, int fd)
{
	const struct search *search = context;
	struct vmsi_budget_seen *budget = find(search->list, status);

	if (!budget)
		budget = add(search->list, status, fd);
	return budget ? add_holder(budget, search->pid) : -ENOMEM;
}

static bool is_denied(int error)
{
	return error == -EACCES || error == -EPERM;
}

/*
 * Kernel threads and zombies have neither memory nor descriptors, so that no
 * budget is missed in them.
 */
static bool has_memory(pid_t pid)
{
	enum vmsi_status_memory memory = VMSI_STATUS_NO_MEMORY;
	struct vmsi_status status;
	struct vmsi_host_file file;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	if (vmsi_host_file_open(&file, path))
		return false;
	if (vmsi_status_read(&file.lines, &status, &memory))
		memory = VMSI_STATUS_NO_MEMORY;
	vmsi_host_file_close(&file);
	return memory == VMSI_STATUS_HAS_MEMORY;
}

static int look_at_process(struct search *search, pid_t pid)
{
	int error;

	search->pid = pid;
	error = vmsi_memfds_look(&search->memfds, pid);
	if (is_denied(error)) {
		search->list->hidden += has_memory(pid);
		return 0;
	}
	/* The process may have ended meanwhile. */
	return error == -ENOENT || error == -ESRCH ? 0 : error;
}

static int look_at_processes(struct search *search)
{
	DIR *processes = opendir("/proc");
	bool is_procfs = false;
	int error = 0;
	pid_t pid;

	if (!processes)
		return -errno;
	while (!error && vmsi_next_number(processes, &pid)) {
		/* A mounted procfs shows at least this process. */
		is_procfs = true;
		error = look_at_process(search, pid);
	}
	closedir(processes);
	return is_procfs ? error : -ENOENT;
}

int vmsi_budget_list_read(struct vmsi_budget_list *list)
{
	struct search search = {
		.list = list,
		.memfds = {
			.link = vmsi_memfd_link(VMSI_BUDGET_FD_NAME),
			.seen = note_budget,
			.context = &search,
		},
	};
	int error;

	*list = (struct vmsi_budget_list){ 0 };
	error = vmsi_memfd_device(&search.memfds.device);
	return error ? error : look_at_processes(&search);
}

void vmsi_budget_list_free(struct vmsi_budget_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->budgets[i].holders);
	free(list->budgets);
	*list = (struct vmsi_budget_list){ 0 };
}
