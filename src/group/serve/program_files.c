/* SPDX-License-Identifier: MIT */
#include "group/serve/program_files.h"

#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/array.h"
#include "group/process/maps.h"

#define KEPT_MOST 8

/*
 * The lock is held for a moment only: a thread that reads files has taken them out
 * of the list, for it may hang for ever (see backtrace.c).
 */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct vmsi_program_files *kept[KEPT_MOST]; /* the last one used first */

static void drop_mapped(struct vmsi_program_files *files)
{
	for (size_t i = 0; i < files->count; i++)
		vmsi_code_file_drop(files->mapped[i].file);
	free(files->mapped);
	files->mapped = NULL;
	files->count = 0;
}

static void close_files(struct vmsi_program_files *files)
{
	if (!files)
		return;
	dwfl_end(files->dwfl);
	drop_mapped(files);
	free(files);
}

/* --- what is mapped ------------------------------------------------------- */

/*
 * A file that was cut off or overwritten must be opened anew: reading the pages
 * that it no longer has would end this process by SIGBUS. So a file is told from
 * another by how it looks on disk, too.
 */
static struct vmsi_code_file *file_of(const struct vmsi_maps_line *mapping)
{
	struct stat status;
	char path[PATH_MAX];

	vmsi_label_path(mapping->label, path, sizeof path);
	if (stat(path, &status))
		status = (struct stat){ .st_ino = mapping->inode };
	return vmsi_code_file_take(path, &status);
}

static bool add(struct vmsi_program_files *files,
		const struct vmsi_maps_line *mapping)
{
	struct vmsi_mapped_code *list =
		vmsi_with_capacity(files->mapped, files->count, &files->room,
				   sizeof *list);

	if (!list)
		return false;
	files->mapped = list;
	list[files->count] = (struct vmsi_mapped_code){
		.start = mapping->start, .end = mapping->end,
		.offset = mapping->offset, .file = file_of(mapping),
	};
	return list[files->count].file && ++files->count;
}

/*
 * The mappings that are code of a file; others come and go, and have no functions.
 * Returns false where they are not told.
 */
static bool read_mapped(struct vmsi_program_files *files, pid_t process)
{
	struct vmsi_maps_line mapping;
	struct vmsi_maps maps;
	bool is_complete = true;

	if (!vmsi_maps_open(&maps, process))
		return false;
	while (is_complete && vmsi_maps_next(&maps, &mapping))
		if (mapping.is_executable && mapping.inode)
			is_complete = add(files, &mapping);
	vmsi_maps_close(&maps);
	return is_complete;
}

static bool are_alike(const struct vmsi_program_files *a,
		      const struct vmsi_program_files *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (a->mapped[i].start != b->mapped[i].start ||
		    a->mapped[i].end != b->mapped[i].end ||
		    a->mapped[i].offset != b->mapped[i].offset ||
		    a->mapped[i].file != b->mapped[i].file)
			return false;
	return true;
}

void vmsi_program_files_place(const struct vmsi_program_files *files,
			      uintptr_t address, struct vmsi_frame *frame)
{
	*frame = (struct vmsi_frame){ .at = address };
	for (size_t i = 0; i < files->count; i++) {
		const struct vmsi_mapped_code *code = &files->mapped[i];

		if (address < code->start || address >= code->end)
			continue;
		frame->file = code->file;
		frame->at = address - code->start + code->offset;
		vmsi_code_file_hold(frame->file);
		return;
	}
}

/* --- the files ------------------------------------------------------------ */

/* What was opened is closed by close_files, also where this fails. */
static bool open_files(struct vmsi_program_files *files, pid_t process,
		       const Dwfl_Thread_Callbacks *callbacks)
{
	static char *no_path;
	static const Dwfl_Callbacks file_callbacks = {
		.find_elf = dwfl_linux_proc_find_elf,
		/* Other ways open files that a program names, or the network. */
		.find_debuginfo = dwfl_build_id_find_debuginfo,
		.debuginfo_path = &no_path,
	};

	files->dwfl = dwfl_begin(&file_callbacks);
	return files->dwfl &&
		dwfl_linux_proc_report(files->dwfl, process) == 0 &&
		dwfl_report_end(files->dwfl, NULL, NULL) == 0 &&
		dwfl_attach_state(files->dwfl, NULL, process, callbacks, files);
}

/* With the lock: the files in a place of the list leave it. */
static struct vmsi_program_files *take_out(size_t at)
{
	struct vmsi_program_files *files = kept[at];

	for (; at < KEPT_MOST - 1; at++)
		kept[at] = kept[at + 1];
	kept[KEPT_MOST - 1] = NULL;
	return files;
}

/* The kept files that are alike, which leave the list; NULL: there are none. */
static struct vmsi_program_files *
take_kept(const struct vmsi_program_files *alike)
{
	struct vmsi_program_files *files = NULL;

	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < KEPT_MOST && kept[i] && !files; i++)
		if (are_alike(kept[i], alike))
			files = take_out(i);
	pthread_mutex_unlock(&lock);
	return files;
}

struct vmsi_program_files *
vmsi_program_files_take(struct vmsi_unwinding *unwinding,
			const Dwfl_Thread_Callbacks *callbacks)
{
	struct vmsi_program_files *made = calloc(1, sizeof *made);
	struct vmsi_program_files *files = NULL;
	bool is_told;

	if (!made)
		return NULL;
	is_told = read_mapped(made, unwinding->process);
	if (is_told)
		files = take_kept(made);
	if (!files && is_told &&
	    open_files(made, unwinding->process, callbacks))
		files = made;
	else
		close_files(made);
	if (files)
		files->unwinding = unwinding;
	return files;
}

void vmsi_program_files_put(struct vmsi_program_files *files)
{
	struct vmsi_program_files *oldest;

	pthread_mutex_lock(&lock);
	oldest = kept[KEPT_MOST - 1];
	for (size_t i = KEPT_MOST - 1; i > 0; i--)
		kept[i] = kept[i - 1];
	kept[0] = files;
	pthread_mutex_unlock(&lock);
	close_files(oldest);
}

void vmsi_program_files_close(void)
{
	for (;;) {
		struct vmsi_program_files *files;

		pthread_mutex_lock(&lock);
		files = take_out(0);
		pthread_mutex_unlock(&lock);
		if (!files)
			return;
		close_files(files);
	}
}
