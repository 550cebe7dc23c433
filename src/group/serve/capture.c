/* SPDX-License-Identifier: MIT */
#include "group/serve/capture.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/align.h"
#include "base/array.h"
#include "group/process/maps.h"
#include "group/process/proc.h"

/* Most stacks are of some ten KiB; coroutines have theirs amid larger memory. */
#define STACK_MOST ((size_t)256 << 10)

/* A program could have as many files mapped as it likes, with names of 4 KiB. */
#define MAPS_MOST ((size_t)1 << 20)

/* What functions may use below the stack pointer. */
#define RED_ZONE 128

/* --- files ---------------------------------------------------------------- */

void vmsi_mapped_drop(struct vmsi_mapped *mapped)
{
	for (size_t i = 0; i < mapped->count; i++)
		vmsi_code_file_drop(mapped->list[i].file);
	free(mapped->list);
	*mapped = (struct vmsi_mapped){ .list = NULL };
}

/*
 * A file that is open is as it was when it was opened. What cannot be opened at once is
 * looked up later.
 */
static bool add_code(struct vmsi_mapped *mapped,
		     const struct vmsi_maps_line *mapping)
{
	struct vmsi_mapped_code *list =
		vmsi_with_capacity(mapped->list, mapped->count, &mapped->room,
				   sizeof *list);
	struct vmsi_code_file *file;
	char path[PATH_MAX];

	if (!list)
		return false;
	mapped->list = list;
	vmsi_label_path(mapping->label, path, sizeof path);
	file = vmsi_code_file_take_open(path, mapping->device, mapping->inode);
	if (!file)
		file = vmsi_code_file_open_at_once(mapping);
	list[mapped->count++] = (struct vmsi_mapped_code){
		.start = mapping->start, .end = mapping->end,
		.offset = mapping->offset, .file = file,
	};
	return true;
}

static bool are_open(const struct vmsi_mapped *mapped)
{
	for (size_t i = 0; i < mapped->count; i++)
		if (!mapped->list[i].file ||
		    !vmsi_code_file_is_open(mapped->list[i].file))
			return false;
	return true;
}

/* --- /proc/PID/maps ------------------------------------------------------- */

/*
 * A file is mapped in several pieces, of which only some are code. The lines of all of
 * them are kept, since they tell where the file begins; those of files without code are
 * not.
 */
struct reading {
	struct vmsi_capture *capture;
	uint64_t device, inode; /* of the file whose pieces are read */
	size_t begin;           /* of its lines */
	bool has_code;
};

static void end_file(struct reading *reading)
{
	if (!reading->has_code)
		reading->capture->maps_bytes = reading->begin;
	reading->begin = reading->capture->maps_bytes;
	reading->has_code = false;
}

/* With its newline. */
static bool append_line(struct vmsi_capture *capture, const char *line)
{
	const size_t length = strlen(line);
	char *maps = capture->maps;

	while (capture->maps_room - capture->maps_bytes <= length) {
		maps = vmsi_with_capacity(maps, capture->maps_room,
					  &capture->maps_room, 1);
		if (!maps)
			return false;
		capture->maps = maps;
	}
	memcpy(maps + capture->maps_bytes, line, length);
	maps[capture->maps_bytes + length] = '\n';
	capture->maps_bytes += length + 1;
	return capture->maps_bytes <= MAPS_MOST;
}

static bool read_mapping(struct reading *reading, const char *line,
			 const struct vmsi_maps_line *mapping)
{
	if (mapping->device != reading->device ||
	    mapping->inode != reading->inode || !mapping->inode)
		end_file(reading);
	reading->device = mapping->device;
	reading->inode = mapping->inode;
	if (!mapping->inode)
		return true;
	if (!append_line(reading->capture, line))
		return false;
	if (!mapping->is_executable)
		return true;
	reading->has_code = true;
	return add_code(&reading->capture->mapped, mapping);
}

static void note_vdso(struct vmsi_capture *capture,
		      const struct vmsi_maps_line *mapping)
{
	if (!vmsi_scan_is(&mapping->label, "[vdso]"))
		return;
	capture->vdso_start = mapping->start;
	capture->vdso_end = mapping->end;
}

/* The stack lies between its pointer and the end of the mapping that it is in. */
static void note_stack(struct vmsi_capture *capture,
		       const struct vmsi_maps_line *mapping)
{
	const uintptr_t pointer = vmsi_registers_stack(&capture->registers);

	if (pointer < mapping->start || pointer >= mapping->end ||
	    mapping->inode)
		return;
	capture->stack_begin = pointer - mapping->start < RED_ZONE ?
		mapping->start : pointer - RED_ZONE;
	capture->stack_bytes = mapping->end - capture->stack_begin;
}

/* Returns false where the mappings are not told, or are too many. */
static bool read_maps(struct vmsi_capture *capture)
{
	struct reading reading = { .capture = capture };
	struct vmsi_maps_line mapping;
	struct vmsi_maps maps;
	bool is_complete = true;

	if (!vmsi_maps_open(&maps, capture->thread))
		return false;
	while (is_complete && vmsi_maps_next(&maps, &mapping)) {
		note_stack(capture, &mapping);
		note_vdso(capture, &mapping);
		is_complete = read_mapping(&reading, maps.line, &mapping);
	}
	end_file(&reading);
	vmsi_maps_close(&maps);
	return is_complete && capture->maps_bytes > 0;
}

/* --- the stack ------------------------------------------------------------ */

/*
 * By /proc and not by process_vm_readv(2), which waits for pages that a userfaultfd of
 * the group is to bring. Memory of a file is not copied, for a process of the group may
 * have to bring that, too.
 */
static bool copy_stack(struct vmsi_capture *capture)
{
	const size_t bytes = capture->stack_bytes;
	int memory;
	bool is_copied;

	if (bytes == 0 || bytes > STACK_MOST)
		return false;
	memory = vmsi_proc_open_memory(capture->thread);
	if (memory < 0)
		return false;
	capture->stack = malloc(bytes);
	is_copied = capture->stack &&
		pread(memory, capture->stack, bytes,
		      (off_t)capture->stack_begin) == (ssize_t)bytes;
	close(memory);
	if (is_copied)
		return true;
	free(capture->stack);
	capture->stack = NULL;
	return false;
}

/* --- all of it ------------------------------------------------------------ */

struct vmsi_capture *vmsi_capture_make(pid_t thread)
{
	struct vmsi_capture *capture = calloc(1, sizeof *capture);

	if (capture)
		capture->thread = thread;
	return capture;
}

bool vmsi_capture_take(struct vmsi_capture *capture)
{
	if (!read_maps(capture)) {
		/* Without its mappings nothing can be unwound, be it stopped or not. */
		free(capture->maps);
		capture->maps = NULL;
		return true;
	}
	capture->is_live = !copy_stack(capture);
	return !capture->is_live && are_open(&capture->mapped);
}

/* Look a file up by the line of its mapping; NULL without memory. */
static struct vmsi_code_file *look_up(const struct vmsi_capture *capture,
				      uintptr_t start)
{
	struct vmsi_scan line, lines = {
		capture->maps, capture->maps + capture->maps_bytes };
	struct vmsi_maps_line mapping;

	while (vmsi_scan_line(&lines, &line))
		if (vmsi_maps_line_read(line, &mapping) &&
		    mapping.start == start)
			return vmsi_code_file_of(&mapping);
	return NULL;
}

void vmsi_capture_look_up_files(struct vmsi_capture *capture)
{
	for (size_t i = 0; i < capture->mapped.count; i++) {
		struct vmsi_mapped_code *code = &capture->mapped.list[i];

		if (code->file && vmsi_code_file_has_changed(code->file)) {
			vmsi_code_file_drop(code->file);
			code->file = NULL;
		}
		if (!code->file)
			code->file = look_up(capture, code->start);
		if (code->file)
			vmsi_code_file_open(code->file);
	}
}

bool vmsi_capture_open_files(struct vmsi_capture *capture)
{
	vmsi_capture_look_up_files(capture);
	if (!are_open(&capture->mapped))
		capture->is_live = true;
	return !capture->is_live;
}

void vmsi_capture_free(struct vmsi_capture *capture)
{
	if (!capture)
		return;
	vmsi_mapped_drop(&capture->mapped);
	free(capture->maps);
	free(capture->stack);
	free(capture);
}
