/* SPDX-License-Identifier: MIT */
#include "cli/commit/commit_budgets.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "procfs/file.h"
#include "procfs/status.h"
#include "text/number.h"

/* The link of /proc/PID/fd for a descriptor of a budget. */
static const char link_text[] = "/memfd:" VMSI_BUDGET_FD_NAME " (deleted)";

/* A walk over all processes. */
struct search {
	struct vmsi_budget_list *list;
	/*
	 * The device of all memfds. A file of another device may have the name of
	 * a budget; to open it could wait for ever where a process serves its
	 * file system.
	 */
	dev_t memfd_device;
	pid_t pid; /* whose descriptors these are */
	DIR *descriptors;
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

static int note_budget(const struct search *search, const struct stat *status,
		       int fd)
{
	struct vmsi_budget_seen *budget = find(search->list, status);

	if (!budget)
		budget = add(search->list, status, fd);
	return budget ? add_holder(budget, search->pid) : -ENOMEM;
}

/*
 * Open for reading the file that path_fd (O_PATH) refers to. The process may
 * meanwhile have another file under the same number, but path_fd still refers to
 * the one that was checked. Returns the descriptor or -errno.
 */
static int open_for_reading(int path_fd)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", path_fd);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int look_at_memfd(const struct search *search, int path_fd)
{
	struct stat status;
	int result, fd;

	if (fstat(path_fd, &status) ||
	    status.st_dev != search->memfd_device || !S_ISREG(status.st_mode))
		return 0;
	fd = open_for_reading(path_fd);
	result = note_budget(search, &status, fd);
	if (fd >= 0)
		close(fd);
	return result;
}

/*
 * Returns 1 where the descriptor has a budget's name, 0 where it has another, or
 * -errno where its link cannot be read.
 */
static int has_budget_name(int directory, const char *name)
{
	char target[sizeof(link_text)];
	ssize_t length = readlinkat(directory, name, target, sizeof(target));

	if (length < 0)
		return -errno;
	return (size_t)length == sizeof(link_text) - 1 &&
		memcmp(target, link_text, (size_t)length) == 0;
}

static int look_at_descriptor(const struct search *search, const char *name)
{
	int directory = dirfd(search->descriptors);
	int result = has_budget_name(directory, name);
	int path_fd;

	if (result <= 0)
		return result;
	path_fd = openat(directory, name, O_PATH | O_CLOEXEC);
	if (path_fd < 0)
		return -errno;
	result = look_at_memfd(search, path_fd);
	close(path_fd);
	return result;
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

/*
 * Look at each descriptor of the process, up to the first that cannot be read:
 * then -errno is returned.
 */
static int look_at_descriptors(struct search *search)
{
	const struct dirent *entry;

	while ((entry = readdir(search->descriptors))) {
		int error = 0;

		if (entry->d_name[0] != '.')
			error = look_at_descriptor(search, entry->d_name);
		/* ENOENT: the process has closed it meanwhile. */
		if (error && error != -ENOENT)
			return error;
	}
	return 0;
}

static int look_at_process(struct search *search, pid_t pid)
{
	char path[64];
	int error;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	search->pid = pid;
	search->descriptors = opendir(path);
	if (!search->descriptors) {
		error = -errno;
	} else {
		error = look_at_descriptors(search);
		closedir(search->descriptors);
	}
	if (is_denied(error)) {
		search->list->hidden += has_memory(pid);
		return 0;
	}
	/* The process may have ended meanwhile. */
	return error == -ENOENT || error == -ESRCH ? 0 : error;
}

static int look_at_processes(struct search *search)
{
	const struct dirent *entry;
	DIR *processes = opendir("/proc");
	bool is_procfs = false;
	int error = 0;

	if (!processes)
		return -errno;
	while (!error && (entry = readdir(processes))) {
		pid_t pid;

		/* All other names of /proc are words. */
		if (!vmsi_parse_int(entry->d_name, &pid))
			continue;
		/* A mounted procfs shows at least this process. */
		is_procfs = true;
		error = look_at_process(search, pid);
	}
	closedir(processes);
	return is_procfs ? error : -ENOENT;
}

int vmsi_memfd_device(dev_t *device)
{
	struct stat status;
	int fd = memfd_create("vmspace-commit", MFD_CLOEXEC);
	int error;

	if (fd < 0)
		return -errno;
	error = fstat(fd, &status) ? -errno : 0;
	close(fd);
	if (!error)
		*device = status.st_dev;
	return error;
}

int vmsi_budget_list_read(struct vmsi_budget_list *list)
{
	struct search search = { .list = list };
	int error;

	*list = (struct vmsi_budget_list){ 0 };
	error = vmsi_memfd_device(&search.memfd_device);
	return error ? error : look_at_processes(&search);
}

void vmsi_budget_list_free(struct vmsi_budget_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->budgets[i].holders);
	free(list->budgets);
	*list = (struct vmsi_budget_list){ 0 };
}
