/* SPDX-License-Identifier: MIT */
#include "cli/sight/find.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "cli/numbers.h"
#include "cli/process_name.h"
#include "procfs/stat.h"

#define COMM_BYTES 15 /* what the kernel keeps of a name */

static int add(struct vmsi_finds *finds, pid_t pid, bool is_asked_for)
{
	struct vmsi_found *list;

	for (size_t i = 0; i < finds->count; i++)
		if (finds->list[i].pid == pid) {
			finds->list[i].is_asked_for |= is_asked_for;
			return 0;
		}
	list = vmsi_with_capacity(finds->list, finds->count, &finds->capacity,
				  sizeof(*list));
	if (!list)
		return -ENOMEM;
	finds->list = list;
	list[finds->count++] = (struct vmsi_found){ pid, is_asked_for };
	return 0;
}

int vmsi_finds_add(struct vmsi_finds *finds, pid_t pid)
{
	return add(finds, pid, true);
}

/* --- all processes -------------------------------------------------------- */

struct process {
	pid_t pid, parent;
	uid_t user;
	bool has_memory; /* no kernel thread or zombie */
};

struct processes {
	struct process *list;
	size_t count, capacity;
};

/* False: it has ended. */
static bool look_at(struct process *process)
{
	struct vmsi_stat figures;
	struct stat status;
	char path[64], text[VMSI_STAT_BYTES];

	snprintf(path, sizeof(path), "/proc/%d", (int)process->pid);
	if (stat(path, &status))
		return false;
	process->user = status.st_uid;
	if (!vmsi_process_stat(process->pid, text, &figures))
		return false;
	process->parent = (pid_t)figures.parent;
	/* PF_KTHREAD of the kernel. A first thread that has ended may have left others. */
	process->has_memory = figures.state != 'X' &&
		(figures.state != 'Z' || figures.threads > 1) &&
		!(figures.flags & 0x00200000);
	return true;
}

static int append(struct processes *processes, pid_t pid)
{
	struct process process = { .pid = pid };
	struct process *list;

	if (!look_at(&process))
		return 0;
	list = vmsi_with_capacity(processes->list, processes->count,
				  &processes->capacity, sizeof(*list));
	if (!list)
		return -ENOMEM;
	processes->list = list;
	list[processes->count++] = process;
	return 0;
}

static int list_processes(struct processes *processes)
{
	DIR *directory = opendir("/proc");
	int error = 0;
	pid_t pid;

	*processes = (struct processes){ 0 };
	if (!directory)
		return -errno;
	while (!error && vmsi_next_number(directory, &pid))
		error = append(processes, pid);
	closedir(directory);
	/* A mounted procfs shows at least this process. */
	return !error && processes->count == 0 ? -ENOENT : error;
}

/* --- by name, by user ----------------------------------------------------- */

/* Whether a process executes a file of that name. */
static bool executes(pid_t pid, const char *name)
{
	char path[64], target[4096], *base;
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	length = readlink(path, target, sizeof(target) - 1);
	if (length <= 0)
		return false;
	target[length] = '\0';
	base = strrchr(target, '/');
	return base && strcmp(base + 1, name) == 0;
}

static bool is_named(const struct process *process, const void *name)
{
	char command[VMSI_PROCESS_NAME_SIZE];

	vmsi_process_name_read(command, process->pid);
	return (command[0] && strncmp(command, name, COMM_BYTES) == 0) ||
		executes(process->pid, name);
}

static bool is_any(const struct process *process, const void *nothing)
{
	(void)process;
	(void)nothing;
	return true;
}

static bool is_of_user(const struct process *process, const void *user)
{
	return process->user == *(const uid_t *)user;
}

static int add_all(struct vmsi_finds *finds,
		   bool (*is_wanted)(const struct process *, const void *),
		   const void *what)
{
	struct processes processes;
	int error = list_processes(&processes);
	bool is_found = false;

	for (size_t i = 0; !error && i < processes.count; i++) {
		const struct process *process = &processes.list[i];

		/* A command that is asked of itself shows more of itself. */
		if (!process->has_memory || process->pid == getpid() ||
		    !is_wanted(process, what))
			continue;
		is_found = true;
		error = add(finds, process->pid, false);
	}
	free(processes.list);
	return error || is_found ? error : -ESRCH;
}

int vmsi_finds_add_named(struct vmsi_finds *finds, const char *name)
{
	return add_all(finds, is_named, name);
}

int vmsi_finds_add_all(struct vmsi_finds *finds)
{
	const int error = add_all(finds, is_any, NULL);

	/* This one may be the only one that the caller sees. */
	return error && error != -ESRCH ? error : add(finds, getpid(), false);
}

int vmsi_finds_add_user(struct vmsi_finds *finds, uid_t user)
{
	return add_all(finds, is_of_user, &user);
}

/* --- a tree --------------------------------------------------------------- */

static int add_children(struct vmsi_finds *finds,
			const struct processes *processes, pid_t parent)
{
	int error = 0;

	for (size_t i = 0; !error && i < processes->count; i++)
		if (processes->list[i].parent == parent &&
		    processes->list[i].has_memory)
			error = add(finds, processes->list[i].pid, false);
	return error;
}

/* Those that are added make the list longer, up to the last generation. */
static int list_tree(struct vmsi_finds *tree, pid_t pid)
{
	struct processes processes;
	int error = list_processes(&processes);

	if (!error)
		error = add(tree, pid, true);
	for (size_t i = 0; !error && i < tree->count; i++)
		error = add_children(tree, &processes, tree->list[i].pid);
	free(processes.list);
	return error;
}

int vmsi_finds_add_tree(struct vmsi_finds *finds, pid_t pid)
{
	struct vmsi_finds tree = { 0 };
	int error = list_tree(&tree, pid);

	for (size_t i = 0; !error && i < tree.count; i++)
		error = add(finds, tree.list[i].pid, tree.list[i].is_asked_for);
	vmsi_finds_free(&tree);
	return error;
}

void vmsi_finds_free(struct vmsi_finds *finds)
{
	free(finds->list);
	*finds = (struct vmsi_finds){ 0 };
}
