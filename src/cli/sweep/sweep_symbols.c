/* SPDX-License-Identifier: MIT */
#include "cli/sweep/sweep_symbols.h"

#include <inttypes.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef VMSI_WITH_LIBDW
#include <elfutils/libdwfl.h>

#include "cli/output/demangle.h"
#endif

/* A file as libdw has opened it, at its own addresses. */
struct file {
#ifdef VMSI_WITH_LIBDW
	Dwfl *dwfl;
#endif
	bool is_open; /* or has been tried */
};

/* A frame and its line of the backtrace. */
struct line {
	uint64_t frame;
	char *text;
};

struct vmsi_sweep_symbols {
	const char *binary;
	struct file files[VMSI_FAILING_MODULES];
	/*
	 * A tree of lines, as tsearch(3) keeps it. Stacks have most of their frames in
	 * common, and libdw goes through all symbols of a file to name one.
	 */
	void *lines;
};

struct vmsi_sweep_symbols *vmsi_sweep_symbols_open(const char *binary)
{
	struct vmsi_sweep_symbols *symbols = calloc(1, sizeof *symbols);

	if (symbols)
		symbols->binary = binary;
	return symbols;
}

static const char *file_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Copy a path out of the memory, which the program could write to. */
static const char *path_of(const struct vmsi_sweep_symbols *symbols,
			   const struct vmsi_failing_memory *memory,
			   uint64_t module, char path[VMSI_FAILING_PATH])
{
	memcpy(path, memory->modules[module].path, VMSI_FAILING_PATH);
	path[VMSI_FAILING_PATH - 1] = '\0';
	return path[0] ? path : symbols->binary;
}

/* A frame is a line, whatever others have called their files and functions. */
static void print_word(FILE *text, const char *word)
{
	for (; *word; word++) {
		if (*word == '\n')
			fputs("\\012", text);
		else
			fputc(*word, text);
	}
}

#ifdef VMSI_WITH_LIBDW

static Dwfl *open_file(const char *path)
{
	static const Dwfl_Callbacks callbacks = {
		.find_elf = dwfl_build_id_find_elf,
		.find_debuginfo = dwfl_standard_find_debuginfo,
		.section_address = dwfl_offline_section_address,
	};
	Dwfl *dwfl = dwfl_begin(&callbacks);

	if (!dwfl)
		return NULL;
	dwfl_report_begin(dwfl);
	if (!dwfl_report_elf(dwfl, path, path, -1, 0, true) ||
	    dwfl_report_end(dwfl, NULL, NULL)) {
		dwfl_end(dwfl);
		return NULL;
	}
	return dwfl;
}

static Dwfl_Module *module_at(struct file *file, const char *path,
			      Dwarf_Addr address)
{
	if (!file->is_open)
		file->dwfl = open_file(path);
	file->is_open = true;
	return file->dwfl ? dwfl_addrmodule(file->dwfl, address) : NULL;
}

static bool print_name(FILE *text, struct file *file, const char *path,
		       uint64_t address)
{
	Dwfl_Module *module = module_at(file, path, address);
	const char *function = module ?
		dwfl_module_addrname(module, address) : NULL;
	char *plain = function ? vmsi_demangle(function) : NULL;

	if (function)
		print_word(text, plain ? plain : function);
	free(plain);
	return function;
}

static void print_line(FILE *text, struct file *file, uint64_t address)
{
	Dwfl_Module *module = file->dwfl ?
		dwfl_addrmodule(file->dwfl, address) : NULL;
	Dwfl_Line *line = module ? dwfl_module_getsrc(module, address) : NULL;
	int number = 0;
	const char *source = line ?
		dwfl_lineinfo(line, NULL, &number, NULL, NULL, NULL) : NULL;

	if (source) {
		fputs(" at ", text);
		print_word(text, file_name(source));
		fprintf(text, ":%d", number);
	}
}

#else

static bool print_name(FILE *text, struct file *file, const char *path,
		       uint64_t address)
{
	(void)text, (void)file, (void)path, (void)address;
	return false;
}

static void print_line(FILE *text, struct file *file, uint64_t address)
{
	(void)text, (void)file, (void)address;
}

#endif

static void print_frame(FILE *text, struct vmsi_sweep_symbols *symbols,
			const struct vmsi_failing_memory *memory, uint64_t frame)
{
	const uint64_t module = frame >> VMSI_FAILING_OFFSET_BITS;
	/* A return address lies behind the call, maybe in the next function. */
	const uint64_t address = (frame & ((UINT64_C(1) <<
					    VMSI_FAILING_OFFSET_BITS) - 1)) - 1;
	char copy[VMSI_FAILING_PATH];
	const char *path;

	if (module >= VMSI_FAILING_MODULES) {
		fputs("code made at run time\n", text);
		return;
	}
	path = path_of(symbols, memory, module, copy);
	if (!print_name(text, &symbols->files[module], path, address))
		fprintf(text, "0x%" PRIx64, address);
	fputs(" (", text);
	print_word(text, file_name(path));
	fputc(')', text);
	print_line(text, &symbols->files[module], address);
	fputc('\n', text);
}

/* --- lines -------------------------------------------------------------------------- */

static int compare_lines(const void *a, const void *b)
{
	const uint64_t one = ((const struct line *)a)->frame;
	const uint64_t two = ((const struct line *)b)->frame;

	return (one > two) - (one < two);
}

/* Returns NULL where there is no memory. */
static struct line *new_line(struct vmsi_sweep_symbols *symbols,
			     const struct vmsi_failing_memory *memory,
			     uint64_t frame)
{
	struct line *line = calloc(1, sizeof *line);
	size_t length;
	FILE *text = line ? open_memstream(&line->text, &length) : NULL;

	if (text) {
		print_frame(text, symbols, memory, frame);
		if (fclose(text) == 0)
			return line;
		free(line->text);
	}
	free(line);
	return NULL;
}

static const char *line_of(struct vmsi_sweep_symbols *symbols,
			   const struct vmsi_failing_memory *memory,
			   uint64_t frame)
{
	const struct line wanted = { .frame = frame };
	struct line **known = tfind(&wanted, &symbols->lines, compare_lines);
	struct line *line;

	if (known)
		return (*known)->text;
	line = new_line(symbols, memory, frame);
	if (!line)
		return NULL;
	line->frame = frame;
	if (tsearch(line, &symbols->lines, compare_lines))
		return line->text;
	free(line->text);
	free(line);
	return NULL;
}

char *vmsi_sweep_symbols_backtrace(struct vmsi_sweep_symbols *symbols,
				   const struct vmsi_failing_memory *memory,
				   const struct vmsi_failing_stack *stack)
{
	char *backtrace = NULL;
	size_t length;
	FILE *text = open_memstream(&backtrace, &length);

	if (!text)
		return NULL;
	for (unsigned i = 0; i < stack->count; i++) {
		const char *line = line_of(symbols, memory, stack->frames[i]);

		fputs(line ? line : "?\n", text);
	}
	return fclose(text) == 0 ? backtrace : NULL;
}
