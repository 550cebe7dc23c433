/* SPDX-License-Identifier: MIT */
#include "cli/heap/heap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vmspace/heap.h>

#include "cli/heap/options.h"
#include "cli/program/preload.h"
#include "cli/program/program.h"
#include "text/size.h"

static const char help_text[] =
	"usage: vmspace heap [OPTION...] [--] PROGRAM [ARGUMENT...]\n"
	"\n"
	"Run a program whose large blocks come from a heap in which realloc never\n"
	"copies; its own malloc keeps the smaller ones.\n";

static const char notes[] =
	"Sizes are bytes, or have a suffix: K, M, G, T. A program that is linked\n"
	"statically, set-user-ID, built with AddressSanitizer or has a malloc of its\n"
	"own is not run: the heap cannot work there. Under a limit: vmspace limit SIZE\n"
	"-- vmspace heap -- PROGRAM. Exit status: that of the program; 2 wrong\n"
	"arguments, 125 no heap's library, 126 it cannot be run, 127 is not there.\n";

static const struct vmsi_option heap_options[] = {
	{ .name = "threshold", .value = VMSI_HEAP_THRESHOLD, .argument = "SIZE",
	  .help = "the smallest such block; 128K" },
	{ .name = "retain", .value = VMSI_HEAP_RETAIN, .argument = "SIZE",
	  .help = "freed memory that is kept for the next block;",
	  .more = "an eighth of the machine's memory" },
	{ .name = "reclaimable-after", .value = VMSI_HEAP_RECLAIMABLE_AFTER,
	  .argument = "MS", .completion = VMSI_COMPLETE_WORDS, .words = "never",
	  .help = "age at which the system may take freed memory",
	  .more = "when it is short: milliseconds, or never; 1000" },
	{ .name = "give-back-after", .value = VMSI_HEAP_GIVE_BACK_AFTER,
	  .argument = "MS", .completion = VMSI_COMPLETE_WORDS, .words = "never",
	  .help = "age at which it is given back; 10000" },
	{ .name = "no-huge-pages", .value = VMSI_HEAP_NO_HUGE_PAGES,
	  .help = "never ask for huge pages" },
	{ .name = "stats", .value = VMSI_HEAP_STATS,
	  .flags = VMSI_OPTION_MAY_BE_BARE, .argument = "FILE",
	  .completion = VMSI_COMPLETE_FILE,
	  .help = "at the end tell the heap's figures on standard",
	  .more = "error, or add them to FILE" },
	VMSI_OPTION_HELP,
	{ .name = NULL },
};

#define HEAP_LIBRARY "libvmspace-heap.so"

/*
 * Warn where no heap can be opened. The program has the limits of this process,
 * so where this process gets none, all its blocks will come from its own malloc.
 */
static void tell_without_heap(const struct vmsi_program *program)
{
	const char *wish = getenv("VMSPACE_HEAP_RESERVE");
	struct vms_heap_options options = { .struct_size = sizeof(options) };
	vms_heap *heap;

	if (wish &&
	    !vmsi_parse_size(wish, VMSI_SIZE_WHOLE, &options.reserve))
		options.reserve = 0;
	heap = vms_heap_open(&options);
	if (!heap)
		vmsi_complain(program->name, "runs without a heap: too few "
				  "addresses can be had (ulimit -v, "
				  "VMSPACE_HEAP_RESERVE)");
	vms_heap_close(heap);
}

/* Find a program, and put the heap's library into its environment. */
static enum vmsi_exit prepare(const char *name, struct vmsi_program *program)
{
	struct vmsi_elf library;
	char path[PATH_MAX];
	enum vmsi_exit result;

	result = vmsi_preload_find(HEAP_LIBRARY, path, &library);
	if (result == VMSI_EXIT_OK)
		result = vmsi_program_find(name, program);
	if (result == VMSI_EXIT_OK)
		result = vmsi_preload_check(program, &library);
	if (result == VMSI_EXIT_OK)
		result = vmsi_preload_put(program, path);
	if (result == VMSI_EXIT_OK) {
		tell_without_heap(program);
		unsetenv("VMSPACE_HEAP_DISABLE");
	}
	return result;
}

/*
 * Take the options, set *arguments to the program behind them, and prepare its
 * environment. *arguments is NULL where only help was asked for.
 */
static enum vmsi_exit take_arguments(int argc, char **argv, char ***arguments,
				     struct vmsi_program *program)
{
	enum vmsi_exit result = VMSI_EXIT_OK;
	int option;

	*arguments = NULL;
	vmsi_complain_as(argv[0]);
	while ((option = vmsi_next_option(&vmsi_command_heap, argc, argv)) !=
	       -1) {
		if (option == 'h')
			return vmsi_show_help(&vmsi_command_heap, optarg);
		if (option == '?')
			return vmsi_option_hint(argv[0], argv[optind - 1]);
		result = vmsi_heap_take_option(argv[0], option);
		if (result != VMSI_EXIT_OK)
			return result;
	}
	if (optind >= argc)
		return vmsi_usage_error(argv[0], "name a program");
	*arguments = argv + optind;
	return prepare(**arguments, program);
}

enum vmsi_exit vmsi_heap_unwrap(char ***arguments)
{
	char **argv = *arguments;
	struct vmsi_program program;
	int argc = 0;

	if (!argv[0] || !argv[1] || strcmp(argv[1], "heap") != 0 ||
	    !vmsi_program_is_this(argv[0]))
		return VMSI_EXIT_OK;
	argv++;
	argv[0] = (char *)vmsi_command_heap.program;
	while (argv[argc])
		argc++;
	/* With 0 getopt_long starts again. */
	optind = 0;
	return take_arguments(argc, argv, arguments, &program);
}

static enum vmsi_exit run_heap(int argc, char **argv)
{
	struct vmsi_program program;
	char **arguments;
	enum vmsi_exit result = take_arguments(argc, argv, &arguments,
					       &program);

	if (result != VMSI_EXIT_OK || !arguments)
		return result;
	vmsi_restore_signals();
	execv(program.path, arguments);
	return vmsi_program_explain_start(program.name, program.path, errno);
}

const struct vmsi_command vmsi_command_heap = {
	.name = "heap",
	.program = "vmspace heap",
	.summary = "run a program with a heap that never copies",
	.help = help_text,
	.options = heap_options,
	.notes = notes,
	.program_at = VMSI_PROGRAM_FIRST,
	.run = run_heap,
};
