/* SPDX-License-Identifier: MIT */
#include "cli/trace/descendants.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "cli/numbers.h"
#include "cli/sight/find.h"
#include "text/scan.h"

static int add(struct vmsi_descendants *tree, pid_t pid)
{
	pid_t *list = vmsi_with_capacity(tree->list, tree->count,
					 &tree->capacity, sizeof(*list));

	if (!list)
		return -ENOMEM;
	tree->list = list;
	list[tree->count++] = pid;
	return 0;
}

/*
 * Add the numbers of a text "7 8 9 ". A number that is cut off is read on with what
 * comes next: rest is what of it came before.
 */
static int add_numbers(struct vmsi_descendants *tree, struct vmsi_scan text,
		       uint64_t *rest)
{
	int error = 0;

	for (; !error && text.at < text.end; text.at++) {
		if (*text.at >= '0' && *text.at <= '9') {
			*rest = *rest * 10 + (uint64_t)(*text.at - '0');
		} else if (*rest) {
			error = add(tree, (pid_t)*rest);
			*rest = 0;
		}
	}
	return error;
}

static int add_children_of(struct vmsi_descendants *tree, pid_t pid, pid_t thread)
{
	char path[64], text[4096];
	uint64_t rest = 0;
	int file, error = 0;
	ssize_t got;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid,
		 (int)thread);
	file = open(path, O_RDONLY | O_CLOEXEC);
	if (file < 0)
		return 0;
	while (!error && (got = read(file, text, sizeof(text))) > 0)
		error = add_numbers(tree, (struct vmsi_scan){ text, text + got },
				    &rest);
	close(file);
	return error;
}

/* A directory has two links, and one more for each directory in it. */
static bool has_one_thread(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 && status.st_nlink == 3;
}

/* Each thread has its own children. */
static int add_children(struct vmsi_descendants *tree, pid_t pid)
{
	DIR *threads;
	char path[64];
	pid_t thread;
	int error = 0;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	if (has_one_thread(path))
		return add_children_of(tree, pid, pid);
	threads = opendir(path);
	if (!threads)
		return 0;
	while (!error && vmsi_next_number(threads, &thread))
		error = add_children_of(tree, pid, thread);
	closedir(threads);
	return error;
}

/* The first one that is found is this process. */
static int read_all(struct vmsi_descendants *tree)
{
	struct vmsi_finds finds = { 0 };
	int error = vmsi_finds_add_tree(&finds, getpid());

	for (size_t i = 1; !error && i < finds.count; i++)
		error = add(tree, finds.list[i].pid);
	vmsi_finds_free(&finds);
	return error;
}

int vmsi_descendants_read(struct vmsi_descendants *tree)
{
	int error;

	tree->count = 0;
	if (!tree->has_no_lists)
		tree->has_no_lists = access("/proc/self/task", F_OK) == 0 &&
			access("/proc/thread-self/children", F_OK) != 0;
	if (tree->has_no_lists)
		return read_all(tree);
	error = add_children(tree, getpid());
	for (size_t i = 0; !error && i < tree->count; i++)
		error = add_children(tree, tree->list[i]);
	return error;
}

void vmsi_descendants_free(struct vmsi_descendants *tree)
{
	free(tree->list);
	*tree = (struct vmsi_descendants){ 0 };
}
