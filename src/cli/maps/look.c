/* SPDX-License-Identifier: MIT */
#include "cli/maps/maps.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/output/progress.h"
#include "cli/output/text.h"
#include "cli/sight/bounds.h"

/* Processes that may not be looked at, of those that were found and not asked for. */
struct closed {
	size_t count;
	struct vmsi_process first; /* its number and command alone */
};

struct reading {
	const struct vmsi_maps_view *view;
	const struct vmsi_bound_sources *sources; /* NULL: bounds are not shown */
	struct vmsi_seen_processes *processes;
	struct closed closed;
};

enum vmsi_exit vmsi_maps_complain_of_memory(void)
{
	fprintf(stderr, "vmspace maps: %s\n", strerror(ENOMEM));
	return VMSI_EXIT_FAILED;
}

/* --- what could not be read ----------------------------------------------- */

static bool is_closed(int error)
{
	return error == -EACCES || error == -EPERM;
}

static void write_process(const struct vmsi_process *process)
{
	fprintf(stderr, "vmspace maps: process %d", (int)process->pid);
	if (process->command[0]) {
		fputs(" (", stderr);
		vmsi_write_escaped(stderr, process->command);
		fputc(')', stderr);
	}
}

static void explain(const struct vmsi_process *process, int error)
{
	write_process(process);
	/* A process whose name could be read exists, or has existed. */
	if (error == -ESRCH && process->command[0])
		fputs(": has no memory to list: it has ended or replaced its "
		      "memory, or is a kernel thread\n", stderr);
	else if (is_closed(error))
		fprintf(stderr, ": %s: it is another user's, or protected\n",
			strerror(-error));
	else if (error == -EPROTO)
		fputs(": its listing in procfs is not understood\n", stderr);
	else if (error == -ENOENT)
		fputs(": procfs is not mounted on /proc\n", stderr);
	else
		fprintf(stderr, ": %s\n", strerror(-error));
}

/* A user without privileges finds hundreds of others' processes. */
static void explain_closed(const struct closed *closed)
{
	if (closed->count == 1) {
		explain(&closed->first, -EACCES);
	} else if (closed->count > 1) {
		write_process(&closed->first);
		fprintf(stderr, " and %zu other%s: %s: they are other users', or "
			"protected\n", closed->count - 1,
			closed->count == 2 ? "" : "s", strerror(EACCES));
	}
}

static void add_closed(struct closed *closed, const struct vmsi_process *process)
{
	if (closed->count++)
		return;
	closed->first.pid = process->pid;
	memcpy(closed->first.command, process->command,
	       sizeof(closed->first.command));
}

/*
 * Of one that was only found and has ended since nothing is said; of those that may not
 * be looked at, at the end.
 */
static enum vmsi_exit take_error(struct reading *reading, const struct vmsi_found *found,
				 const struct vmsi_process *process, int error)
{
	if (!found->is_asked_for && error == -ESRCH)
		return VMSI_EXIT_OK;
	if (!found->is_asked_for && is_closed(error))
		add_closed(&reading->closed, process);
	else
		explain(process, error);
	return VMSI_EXIT_FAILED;
}

/* --- reading -------------------------------------------------------------- */

static enum vmsi_exit see(struct reading *reading, const struct vmsi_found *found)
{
	struct vmsi_process *process = vmsi_seen_processes_add(reading->processes);
	enum vmsi_exit result;
	int error;

	if (!process)
		return vmsi_maps_complain_of_memory();
	error = vmsi_process_see(process, found->pid, reading->view->what);
	if (!error && reading->sources)
		error = vmsi_bounds_read(&process->bounds, reading->sources,
					 process->thread);
	if (!error)
		return VMSI_EXIT_OK;
	result = take_error(reading, found, process, error);
	vmsi_process_free(process);
	reading->processes->count--;
	return result;
}

enum vmsi_exit vmsi_maps_see(const struct vmsi_maps_view *view,
			     const struct vmsi_finds *finds,
			     struct vmsi_seen_processes *processes)
{
	struct vmsi_bound_sources *sources = NULL;
	struct reading reading = { .view = view, .processes = processes };
	enum vmsi_exit result = VMSI_EXIT_OK;

	if (vmsi_maps_shows_bounds(view)) {
		sources = vmsi_bound_sources_read();
		if (!sources)
			return vmsi_maps_complain_of_memory();
	}
	reading.sources = sources;
	vmsi_progress_begin("processes", finds->count, VMSI_PROCESSES_SHOWN);
	for (size_t i = 0; i < finds->count; i++) {
		if (see(&reading, &finds->list[i]) != VMSI_EXIT_OK)
			result = VMSI_EXIT_FAILED;
		vmsi_progress_show(i + 1);
	}
	vmsi_progress_end();
	explain_closed(&reading.closed);
	vmsi_bound_sources_free(sources);
	return result;
}
