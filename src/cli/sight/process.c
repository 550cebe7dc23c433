/* SPDX-License-Identifier: MIT */
#include "cli/sight/process.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <vmspace.h>

#include "base/array.h"
#include "cli/numbers.h"
#include "cli/sight/belongs.h"
#include "procfs/file.h"
#include "procfs/smaps.h"

/* Holds the longest line: a path of newlines, each of which is written as four bytes. */
#define BUFFER_BYTES ((size_t)64 << 10)

/* A process that is read. */
struct reader {
	struct vmsi_belongs belongs;
	uintptr_t seen; /* the end of the last mapping */
	bool has_table; /* the table of names is mapped: it is this process's */
	struct vmsi_lines lines;
	int file;
};

/* --- a mapping ------------------------------------------------------------ */

static void set_figures(struct vmsi_seen_mapping *mapping)
{
	const uint64_t length = mapping->end - mapping->start;
	uint64_t *figures = mapping->figures.of;

	figures[mapping->prot == PROT_NONE ? VMSI_RESERVED : VMSI_SIZE] = length;
	if ((mapping->prot & PROT_WRITE) && !(mapping->flags & VMS_MAPPING_SHARED))
		figures[VMSI_WRITABLE] = length;
	if (mapping->flags & VMS_MAPPING_LOCKED)
		figures[VMSI_LOCKED] = length;
}

/*
 * Cut off what was seen before: the process runs between two reads, and a mapping
 * that was seen may have become part of a larger one. False: nothing is left.
 */
static bool cut(struct reader *reader, struct vmsi_seen_mapping *mapping)
{
	const uintptr_t seen = reader->seen;

	if (mapping->end <= seen)
		return false;
	if (mapping->start < seen) {
		if (mapping->inode)
			mapping->offset += seen - mapping->start;
		mapping->start = seen;
	}
	reader->seen = mapping->end;
	return true;
}

static int add_piece(struct reader *reader, struct vmsi_seen_mapping *mapping,
		     struct vmsi_scan label)
{
	struct vmsi_process *process = reader->belongs.process;
	struct vmsi_seen_mapping *mappings;
	int error;

	set_figures(mapping);
	error = vmsi_belongs_add(&reader->belongs, mapping, label);
	if (error || !(process->what & VMSI_SEE_MAPPINGS))
		return error;
	mappings = vmsi_with_capacity(process->mappings, process->count,
				      &process->capacity, sizeof(*mappings));
	if (!mappings)
		return -ENOMEM;
	process->mappings = mappings;
	mappings[process->count++] = *mapping;
	return 0;
}

/* What pages there are is known of the whole only. */
static bool has_pages(const struct vmsi_seen_mapping *mapping)
{
	for (enum vmsi_column i = 0; i < VMSI_COLUMNS; i++)
		if (vmsi_columns[i].needs_pages &&
		    mapping->figures.of[i])
			return true;
	return false;
}

/* Cut off the piece up to where another owner's may begin. */
static void take_piece(struct vmsi_belongs *belongs,
		       struct vmsi_seen_mapping *piece,
		       struct vmsi_seen_mapping *rest)
{
	const uintptr_t end = vmsi_belongs_end(belongs, rest);

	*piece = *rest;
	if (end < rest->end && !has_pages(rest))
		piece->end = end;
	if (rest->inode)
		rest->offset += piece->end - piece->start;
	rest->start = piece->end;
}

static int add(struct reader *reader, struct vmsi_seen_mapping *mapping,
	       struct vmsi_scan label)
{
	const struct vmsi_names *const names = reader->belongs.names;
	uint64_t count = 1;
	int error = 0;

	if (names && mapping->inode == names->inode &&
	    mapping->device == names->device)
		reader->has_table = true;
	if (!cut(reader, mapping))
		return 0;
	while (!error && mapping->start < mapping->end) {
		struct vmsi_seen_mapping piece;

		take_piece(&reader->belongs, &piece, mapping);
		/* The kernel's mapping counts once. */
		piece.figures.of[VMSI_MAPPINGS] = count;
		count = 0;
		error = add_piece(reader, &piece, label);
	}
	return error;
}

/* --- without pages: /proc/PID/maps ---------------------------------------- */

/* With newlines that are newlines, as those of listings with pages are. */
static struct vmsi_scan plain_label(struct vmsi_scan label, char path[VMS_PATH_MAX])
{
	const size_t length = vmsi_scan_left(&label);

	if (!length || !memchr(label.at, '\\', length))
		return label;
	vmsi_label_path(label, path, VMS_PATH_MAX);
	return vmsi_scan_text(path);
}

static int add_line(struct reader *reader, const struct vmsi_maps_line *line)
{
	char path[VMS_PATH_MAX];
	/* Pages of hugetlb are not told here. */
	const struct vmsi_label label = vmsi_label_read(line, true);
	struct vmsi_seen_mapping mapping = {
		.start = line->start,
		.end = line->end,
		.prot = (line->is_readable ? PROT_READ : 0) |
			(line->is_writable ? PROT_WRITE : 0) |
			(line->is_executable ? PROT_EXEC : 0),
		.flags = line->is_shared ? VMS_MAPPING_SHARED : 0,
		.device = line->device,
		.inode = line->inode,
		.offset = line->offset,
		.label = label.kind,
	};

	return add(reader, &mapping, plain_label(label.text, path));
}

static int read_maps(struct reader *reader)
{
	struct vmsi_maps_line mapping;
	struct vmsi_line line;
	int result;

	while ((result = vmsi_lines_peek(&reader->lines, &line)) > 0) {
		if (!vmsi_maps_line_read(vmsi_line_scan(&line), &mapping))
			return -EPROTO;
		result = add_line(reader, &mapping);
		if (result)
			return result;
		vmsi_lines_advance(&reader->lines, &line);
	}
	return result;
}

/* --- with pages: /proc/PID/smaps ------------------------------------------ */

static struct vmsi_label label_of(const struct vms_mapping_info *info)
{
	const char *const name = info->name;

	if (!(info->flags & VMS_MAPPING_ANONYMOUS))
		return (struct vmsi_label){ VMSI_LABEL_FILE,
					    vmsi_scan_text(info->path) };
	if (name[0] == '\0')
		return (struct vmsi_label){ VMSI_LABEL_NONE,
					    vmsi_scan_text(name) };
	/* A name that is given has no bracket; a slash in front it may have. */
	if (name[0] == '[' || (name[0] == '/' && info->inode))
		return (struct vmsi_label){ VMSI_LABEL_KERNEL,
					    vmsi_scan_text(name) };
	return (struct vmsi_label){ VMSI_LABEL_GIVEN, vmsi_scan_text(name) };
}

static uint64_t less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

static int add_pages(struct reader *reader, const struct vms_mapping_info *info,
		     const struct vmsi_smaps_pages *pages)
{
	const struct vmsi_label label = label_of(info);
	struct vmsi_seen_mapping mapping = {
		.start = info->start,
		.end = info->start + info->length,
		.prot = info->prot,
		.flags = info->flags,
		.page_size = info->page_size,
		.device = info->device,
		.inode = info->inode,
		.offset = info->offset,
		.label = label.kind,
		.figures.of = {
			[VMSI_COMMIT] = info->committed,
			[VMSI_RESIDENT] = info->resident,
			[VMSI_ANONYMOUS] = pages->anonymous,
			[VMSI_FILE] = less(info->resident, pages->anonymous),
			[VMSI_PROPORTIONAL] = pages->proportional,
			[VMSI_SWAPPED] = pages->swapped,
			[VMSI_HUGE] = pages->huge,
		},
	};

	return add(reader, &mapping, label.text);
}

static int read_smaps(struct reader *reader)
{
	struct vms_mapping_info info;
	struct vmsi_smaps_pages pages;
	int result;

	while ((result = vmsi_smaps_next_pages(&reader->lines, &info, &pages)) > 0) {
		/* A kernel without figures of pages has none for us. */
		if (info.resident == VMS_NOT_COUNTED)
			return -EPROTO;
		result = add_pages(reader, &info, &pages);
		if (result)
			return result;
	}
	return result;
}

/* --- a process ------------------------------------------------------------ */

static void sum_owners(struct vmsi_process *process)
{
	for (size_t i = 0; i < process->owners.count; i++)
		vmsi_figures_add(&process->total, &process->owners.list[i].figures);
}

static int read_status(pid_t thread, struct vmsi_status *status,
		       enum vmsi_status_memory *memory)
{
	struct vmsi_lines lines;
	char buffer[1024];
	int error, file = vmsi_procfs_open(thread, "status");

	if (file < 0)
		return file;
	vmsi_host_lines(&lines, &file, buffer, sizeof(buffer));
	error = vmsi_status_read(&lines, status, memory);
	close(file);
	return error;
}

/*
 * A process whose first thread has ended has its memory still, which the kernel then
 * shows of the other threads only.
 */
static void find_thread(struct vmsi_process *process)
{
	enum vmsi_status_memory memory = VMSI_STATUS_NO_MEMORY;
	struct vmsi_status status;
	char path[64];
	DIR *threads;
	pid_t thread;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)process->pid);
	threads = opendir(path);
	if (!threads)
		return;
	while (memory == VMSI_STATUS_NO_MEMORY &&
	       vmsi_next_number(threads, &thread)) {
		if (read_status(thread, &status, &memory) ||
		    memory == VMSI_STATUS_NO_MEMORY)
			continue;
		process->thread = thread;
		process->status = status;
	}
	closedir(threads);
}

static int read_head(struct vmsi_process *process)
{
	enum vmsi_status_memory memory;
	const int error = read_status(process->pid, &process->status, &memory);

	process->thread = process->pid;
	if (error || process->status.threads < 2)
		return error;
	if (memory == VMSI_STATUS_NO_MEMORY)
		find_thread(process);
	return vmsi_stacks_read(&process->stacks, process->pid);
}

/* names: of the process, where *is_its_own says so afterwards; NULL: without any. */
static int read_mappings(struct vmsi_process *process,
			 const struct vmsi_names *names, bool *is_its_own)
{
	const bool with_pages = (process->what & VMSI_SEE_PAGES) != 0;
	struct reader reader = {
		.belongs = { .process = process, .names = names },
	};
	char *buffer;
	int error;

	reader.file = vmsi_procfs_open(process->thread, with_pages ? "smaps" : "maps");
	if (reader.file < 0)
		return reader.file;
	buffer = malloc(BUFFER_BYTES);
	if (!buffer) {
		close(reader.file);
		return -ENOMEM;
	}
	vmsi_host_lines(&reader.lines, &reader.file, buffer, BUFFER_BYTES);
	error = with_pages ? read_smaps(&reader) : read_maps(&reader);
	if (!error)
		error = vmsi_procfs_check_complete(reader.file);
	sum_owners(process);
	free(buffer);
	close(reader.file);
	*is_its_own = reader.has_table;
	return error;
}

static void forget_mappings(struct vmsi_process *process)
{
	vmsi_owners_free(&process->owners);
	free(process->mappings);
	process->mappings = NULL;
	process->count = process->capacity = 0;
	process->total = (struct vmsi_figures){ 0 };
}

/*
 * A process has the tables open that it was forked with, too. Which one is its own is
 * known when its mappings have been read, and most have one or none.
 */
static int read_named_mappings(struct vmsi_process *process)
{
	struct vmsi_tables tables;
	bool is_its_own = false;
	int error = vmsi_tables_read(&tables, process->thread);

	for (size_t i = 0; !error && !is_its_own && i < tables.count; i++) {
		forget_mappings(process);
		error = read_mappings(process, &tables.tables[i], &is_its_own);
	}
	if (!error && !is_its_own) {
		forget_mappings(process);
		error = read_mappings(process, NULL, &is_its_own);
	}
	vmsi_tables_free(&tables);
	return error;
}

int vmsi_process_see(struct vmsi_process *process, pid_t pid, unsigned what)
{
	int error;

	*process = (struct vmsi_process){
		.pid = pid ? pid : getpid(), .what = what,
	};
	vmsi_process_name_read(process->command, process->pid);
	error = read_head(process);
	return error ? error : read_named_mappings(process);
}

void vmsi_process_free(struct vmsi_process *process)
{
	vmsi_stacks_free(&process->stacks);
	vmsi_bounds_free(&process->bounds);
	vmsi_owners_free(&process->owners);
	free(process->mappings);
	*process = (struct vmsi_process){ 0 };
}
