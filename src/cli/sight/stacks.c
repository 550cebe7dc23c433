/* SPDX-License-Identifier: MIT */
#include "cli/sight/stacks.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "cli/numbers.h"
#include "procfs/file.h"
#include "text/scan.h"

/*
 * Read a stack pointer: the last but one of "NUMBER ARGUMENTS... POINTER COUNTER",
 * or of "-1 POINTER COUNTER"; a thread that runs is "running". Returns 0: untold.
 */
static uintptr_t pointer_in(struct vmsi_scan text)
{
	struct vmsi_scan word;
	uint64_t last = 0, before = 0;

	while (vmsi_scan_word(&text, '\n', &word)) {
		vmsi_scan_blanks(&text);
		before = last;
		last = 0;
		if (vmsi_scan_char(&word, '0') && vmsi_scan_char(&word, 'x') &&
		    !vmsi_scan_hex(&word, &last))
			last = 0;
	}
	return (uintptr_t)before;
}

static uintptr_t pointer_of(pid_t pid, pid_t thread)
{
	char path[64], text[512];
	size_t length;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/syscall", (int)pid,
		 (int)thread);
	length = vmsi_host_read_start(path, text, sizeof(text));
	return pointer_in((struct vmsi_scan){ text, text + length });
}

static int add(struct vmsi_stacks *stacks, pid_t thread, uintptr_t pointer)
{
	struct vmsi_thread_stack *list =
		vmsi_with_capacity(stacks->list, stacks->count, &stacks->capacity,
				   sizeof(*list));

	if (!list)
		return -ENOMEM;
	stacks->list = list;
	list[stacks->count] = (struct vmsi_thread_stack){
		.thread = thread, .pointer = pointer,
	};
	vmsi_process_name_read(list[stacks->count++].command, thread);
	return 0;
}

static int compare(const void *left, const void *right)
{
	const struct vmsi_thread_stack *a = left, *b = right;

	return (a->pointer > b->pointer) - (a->pointer < b->pointer);
}

int vmsi_stacks_read(struct vmsi_stacks *stacks, pid_t pid)
{
	pid_t thread;
	char path[64];
	DIR *threads;
	int error = 0;

	*stacks = (struct vmsi_stacks){ 0 };
	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	threads = opendir(path);
	if (!threads)
		return 0;
	while (!error && vmsi_next_number(threads, &thread)) {
		uintptr_t pointer;

		if (thread == pid)
			continue;
		pointer = pointer_of(pid, thread);
		if (pointer)
			error = add(stacks, thread, pointer);
		else
			stacks->untold++;
	}
	closedir(threads);
	if (stacks->count)
		qsort(stacks->list, stacks->count, sizeof(*stacks->list), compare);
	return error;
}

const struct vmsi_thread_stack *
vmsi_stacks_find(const struct vmsi_stacks *stacks, uintptr_t start, uintptr_t end)
{
	size_t from = 0, to = stacks->count;

	/* The first whose pointer is not below start. */
	while (from < to) {
		const size_t middle = from + (to - from) / 2;

		if (stacks->list[middle].pointer < start)
			from = middle + 1;
		else
			to = middle;
	}
	return from < stacks->count && stacks->list[from].pointer < end ?
		&stacks->list[from] : NULL;
}

void vmsi_stacks_free(struct vmsi_stacks *stacks)
{
	free(stacks->list);
	*stacks = (struct vmsi_stacks){ 0 };
}
