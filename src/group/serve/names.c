/* SPDX-License-Identifier: MIT */
#include "group/serve/seen.h"

#include <gelf.h>
#include <elfutils/libdwfl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * The names of functions and lines, read from files alone: the process whose stack it
 * was may have ended. One thread calls this, so nothing here has a lock.
 */

/* To read the symbols and lines of the C library takes some 50 ms, so they are kept. */
#define KEPT_MOST 64

struct symbols {
	struct vmsi_code_file *file; /* held; NULL: the end of what is kept */
	Dwfl *dwfl;
	Dwfl_Module *module;         /* NULL: the file cannot be read */
};

static struct symbols kept[KEPT_MOST]; /* the last one used first */

/* --- files ---------------------------------------------------------------- */

static int find_no_elf(Dwfl_Module *module, void **context, const char *name,
		       Dwarf_Addr base, char **path, Elf **elf)
{
	(void)module;
	(void)context;
	(void)name;
	(void)base;
	(void)path;
	(void)elf;
	return -1;
}

/* What was opened is closed with the Dwfl, or here. */
static void read_symbols(struct symbols *symbols)
{
	static char *no_path;
	static const Dwfl_Callbacks callbacks = {
		.find_elf = find_no_elf,
		/* Other ways open files that a program names, or the network. */
		.find_debuginfo = dwfl_build_id_find_debuginfo,
		.debuginfo_path = &no_path,
	};
	const char *path = symbols->file->path;
	int descriptor = vmsi_code_file_descriptor(symbols->file);

	if (descriptor < 0)
		return;
	if (symbols->dwfl)
		dwfl_end(symbols->dwfl);
	symbols->dwfl = dwfl_begin(&callbacks);
	if (symbols->dwfl)
		symbols->module = dwfl_report_elf(symbols->dwfl, path, path,
						  descriptor, 0, true);
	if (!symbols->module)
		close(descriptor);
	else if (dwfl_report_end(symbols->dwfl, NULL, NULL))
		symbols->module = NULL;
}

static void close_symbols(struct symbols *symbols)
{
	if (!symbols->file)
		return;
	if (symbols->dwfl)
		dwfl_end(symbols->dwfl);
	vmsi_code_file_drop(symbols->file);
	symbols->file = NULL;
}

/* Move the symbols at a place to the first one, or make room there. */
static void move_to_front(size_t from)
{
	const struct symbols moved = kept[from];

	memmove(kept + 1, kept, from * sizeof *kept);
	kept[0] = moved;
}

static Dwfl_Module *module_of(struct vmsi_code_file *file)
{
	size_t i = 0;

	while (i < KEPT_MOST && kept[i].file && kept[i].file != file)
		i++;
	if (i == KEPT_MOST)
		close_symbols(&kept[--i]);
	if (!kept[i].file) {
		vmsi_code_file_hold(file);
		kept[i] = (struct symbols){ .file = file };
	}
	/* Where it could not be opened for one process it may be for another. */
	if (!kept[i].module)
		read_symbols(&kept[i]);
	move_to_front(i);
	return kept[0].module;
}

void vmsi_names_close(void)
{
	for (size_t i = 0; i < KEPT_MOST; i++)
		close_symbols(&kept[i]);
}

/* --- frames --------------------------------------------------------------- */

static const char *file_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Where a place of the file is in the addresses of the module. */
static bool address_of(Dwfl_Module *module, uint64_t offset, Dwarf_Addr *address)
{
	GElf_Addr bias;
	Elf *elf = dwfl_module_getelf(module, &bias);
	GElf_Phdr part;
	size_t parts = 0;

	if (!elf || elf_getphdrnum(elf, &parts))
		return false;
	for (size_t i = 0; i < parts; i++) {
		if (!gelf_getphdr(elf, (int)i, &part) ||
		    part.p_type != PT_LOAD || offset < part.p_offset ||
		    offset - part.p_offset >= part.p_filesz)
			continue;
		*address = offset - part.p_offset + part.p_vaddr + bias;
		return true;
	}
	return false;
}

static void print_line(FILE *text, Dwfl_Module *module, Dwarf_Addr address)
{
	Dwfl_Line *line = dwfl_module_getsrc(module, address);
	const char *file;
	int number = 0;

	if (!line)
		return;
	file = dwfl_lineinfo(line, NULL, &number, NULL, NULL, NULL);
	if (file)
		fprintf(text, " at %s:%d", file_name(file), number);
}

static void print_frame(FILE *text, const struct vmsi_frame *frame)
{
	Dwfl_Module *module = frame->file ? module_of(frame->file) : NULL;
	const char *function = NULL;
	Dwarf_Addr address;

	if (module && !address_of(module, frame->at, &address))
		module = NULL;
	if (module)
		function = dwfl_module_addrname(module, address);
	if (function)
		fputs(function, text);
	else
		fprintf(text, "0x%llx", (unsigned long long)frame->at);
	if (frame->file)
		fprintf(text, " (%s)", file_name(frame->file->path));
	if (module)
		print_line(text, module, address);
	fputc('\n', text);
}

char *vmsi_names_of(const struct vmsi_frames *frames)
{
	char *all = NULL;
	size_t length;
	FILE *text = open_memstream(&all, &length);

	if (!text)
		return NULL;
	for (size_t i = 0; i < frames->count; i++)
		print_frame(text, &frames->list[i]);
	if (fclose(text) == 0)
		return all;
	free(all);
	return NULL;
}
