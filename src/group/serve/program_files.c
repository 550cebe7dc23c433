/* SPDX-License-Identifier: MIT */
#include "group/serve/program_files.h"

#include <elf.h>
#include <link.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#define KEPT_MOST 8
#define VDSO "[vdso]"

/*
 * The lock is held for a moment only: a thread that reads files has taken them out
 * of the list, for it may hang for ever (see backtrace.c).
 */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct vmsi_program_files *kept[KEPT_MOST]; /* the last one used first */

static void close_files(struct vmsi_program_files *files)
{
	if (!files)
		return;
	dwfl_end(files->dwfl);
	vmsi_mapped_drop(&files->mapped);
	free(files);
}

/* --- what is mapped ------------------------------------------------------- */

static bool are_alike(const struct vmsi_mapped *a, const struct vmsi_mapped *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (a->list[i].start != b->list[i].start ||
		    a->list[i].end != b->list[i].end ||
		    a->list[i].offset != b->list[i].offset ||
		    a->list[i].file != b->list[i].file)
			return false;
	return true;
}

void vmsi_program_files_place(const struct vmsi_program_files *files,
			      uintptr_t address, struct vmsi_frame *frame)
{
	*frame = (struct vmsi_frame){ .at = address };
	for (size_t i = 0; i < files->mapped.count; i++) {
		const struct vmsi_mapped_code *code = &files->mapped.list[i];

		if (address < code->start || address >= code->end || !code->file)
			continue;
		frame->file = code->file;
		frame->at = address - code->start + code->offset;
		vmsi_code_file_hold(frame->file);
		return;
	}
}

/* --- the files ------------------------------------------------------------ */

/* The kernel's own code, which is the same in all processes of this kind. */
static Elf *open_vdso(void)
{
	char *image = (char *)getauxval(AT_SYSINFO_EHDR);
	const ElfW(Ehdr) *header = (const void *)image;

	return image ? elf_memory(image, header->e_shoff +
				  (size_t)header->e_shnum * header->e_shentsize) :
		NULL;
}

/*
 * The files that were opened when the thread was stopped: their names may be those of
 * others by now. *context is set by set_file.
 */
static int find_open(Dwfl_Module *module, void **context, const char *name,
		     Dwarf_Addr base, char **path, Elf **elf)
{
	const struct vmsi_code_file *file = *context;
	int descriptor;

	(void)module;
	(void)base;
	if (!file) {
		if (strcmp(name, VDSO) == 0)
			*elf = open_vdso();
		return -1;
	}
	descriptor = vmsi_code_file_descriptor(file);
	if (descriptor >= 0)
		*path = strdup(file->path);
	return descriptor;
}

/* What has no name any more is read from the memory of the process that stands still. */
static int find_live(Dwfl_Module *module, void **context, const char *name,
		     Dwarf_Addr base, char **path, Elf **elf)
{
	const int descriptor = find_open(module, context, name, base, path, elf);

	return descriptor >= 0 || *elf ? descriptor :
		dwfl_linux_proc_find_elf(module, NULL, name, base, path, elf);
}

/* The module of a file has all its pieces, so also those that are code. */
static int set_file(Dwfl_Module *module, void **context, const char *name,
		    Dwarf_Addr base, void *files_of)
{
	const struct vmsi_program_files *files = files_of;
	Dwarf_Addr start, end;

	(void)name;
	(void)base;
	*context = NULL;
	(void)dwfl_module_info(module, NULL, &start, &end, NULL, NULL, NULL, NULL);
	for (size_t i = 0; i < files->mapped.count && !*context; i++)
		if (files->mapped.list[i].start >= start &&
		    files->mapped.list[i].start < end)
			*context = files->mapped.list[i].file;
	return DWARF_CB_OK;
}

static bool report_files(Dwfl *dwfl, const struct vmsi_capture *capture)
{
	FILE *maps = capture->maps_bytes ?
		fmemopen(capture->maps, capture->maps_bytes, "r") : NULL;
	bool is_reported;

	if (!maps)
		return false;
	is_reported = dwfl_linux_proc_maps_report(dwfl, maps) == 0 &&
		(!capture->vdso_start ||
		 dwfl_report_module(dwfl, VDSO, capture->vdso_start,
				    capture->vdso_end)) &&
		dwfl_report_end(dwfl, NULL, NULL) == 0;
	fclose(maps);
	return is_reported;
}

/* What was opened is closed by close_files, also where this fails. */
static bool open_files(struct vmsi_program_files *files,
		       const struct vmsi_capture *capture,
		       const Dwfl_Thread_Callbacks *callbacks)
{
	static char *no_path;
	static const Dwfl_Callbacks of_copy = {
		.find_elf = find_open,
		/* Other ways open files that a program names, or the network. */
		.find_debuginfo = dwfl_build_id_find_debuginfo,
		.debuginfo_path = &no_path,
	}, of_live = {
		.find_elf = find_live,
		.find_debuginfo = dwfl_build_id_find_debuginfo,
		.debuginfo_path = &no_path,
	};

	files->dwfl = dwfl_begin(capture->is_live ? &of_live : &of_copy);
	return files->dwfl && report_files(files->dwfl, capture) &&
		dwfl_getmodules(files->dwfl, set_file, files, 0) == 0 &&
		dwfl_attach_state(files->dwfl, NULL, capture->thread, callbacks,
				  files);
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
static struct vmsi_program_files *take_kept(const struct vmsi_mapped *alike)
{
	struct vmsi_program_files *files = NULL;

	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < KEPT_MOST && kept[i] && !files; i++)
		if (are_alike(&kept[i]->mapped, alike))
			files = take_out(i);
	pthread_mutex_unlock(&lock);
	return files;
}

/* They take over what is mapped from the capture. */
static struct vmsi_program_files *
make_files(struct vmsi_capture *capture, const Dwfl_Thread_Callbacks *callbacks)
{
	struct vmsi_program_files *files = calloc(1, sizeof *files);

	if (!files)
		return NULL;
	files->mapped = capture->mapped;
	capture->mapped = (struct vmsi_mapped){ .list = NULL };
	files->capture = capture;
	if (open_files(files, capture, callbacks))
		return files;
	close_files(files);
	return NULL;
}

struct vmsi_program_files *
vmsi_program_files_take(struct vmsi_capture *capture,
			const Dwfl_Thread_Callbacks *callbacks)
{
	struct vmsi_program_files *files = capture->is_live ? NULL :
		take_kept(&capture->mapped);

	if (!files)
		files = make_files(capture, callbacks);
	if (files)
		files->capture = capture;
	return files;
}

void vmsi_program_files_put(struct vmsi_program_files *files)
{
	struct vmsi_program_files *oldest = files;

	/* What read a process that stood still is of no use for another one. */
	if (!files->capture->is_live) {
		files->capture = NULL;
		pthread_mutex_lock(&lock);
		oldest = kept[KEPT_MOST - 1];
		for (size_t i = KEPT_MOST - 1; i > 0; i--)
			kept[i] = kept[i - 1];
		kept[0] = files;
		pthread_mutex_unlock(&lock);
	}
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
