/* SPDX-License-Identifier: MIT */
#include "cli/maps/maps.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/output/text.h"
#include "text/number.h"

static const char help_text[] =
	"usage: vmspace maps [-bjt] PID\n"
	"\n"
	"List the mappings of process PID ('self': of vmspace itself).\n"
	"\n"
	"  -b, --bytes  sizes in bytes instead of 188K, 1.3M, 2G\n"
	"  -j, --json   write JSON, for programs\n"
	"  -t, --total  the total only\n"
	"  -h, --help   this text\n"
	"\n"
	"Columns:\n"
	"  ADDRESS    first address, and first address after it\n"
	"  SIZE       addresses; 1K is 1024 bytes, '2M' is exact, '2.0M' is not\n"
	"  PROT       r read, w write, x execute\n"
	"  SHARING    private, or shared with whoever maps the same\n"
	"  COMMIT     what the kernel has promised memory for\n"
	"  RESIDENT   what is in memory now\n"
	"  FLAGS      locked, noreserve, growsdown, ... or '-'\n"
	"  CONTENT    the file and the offset of the first byte in it, or [heap],\n"
	"             [anon], [anon:NAME] for memory without a file\n"
	"\n"
	"Shared memory without a file is charged to itself, once, not to its\n"
	"mappings: it shows no commit here.\n";

struct maps_options {
	enum { FORM_TEXT, FORM_JSON } form;
	enum vmsi_maps_detail detail;
	enum vmsi_size_style style;
	pid_t pid; /* 0: self */
};

/* Read the number of a process: decimal digits, above 0. */
static int parse_pid(const char *text, pid_t *pid)
{
	if (strcmp(text, "self") == 0) {
		*pid = 0;
		return 0;
	}
	return vmsi_parse_int(text, pid) && *pid > 0 ? 0 : -EINVAL;
}

/*
 * Read the options into arguments. Returns -1 when all were read, 'h' where help
 * was asked for, or '?' after getopt_long has complained of one.
 */
static int parse_options(int argc, char **argv, struct maps_options *arguments)
{
	static const struct option options[] = {
		{ "bytes", no_argument, NULL, 'b' },
		{ "help", no_argument, NULL, 'h' },
		{ "json", no_argument, NULL, 'j' },
		{ "total", no_argument, NULL, 't' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "bhjt", options, NULL)) > 0) {
		if (option == 'b')
			arguments->style = VMSI_SIZE_BYTES;
		else if (option == 'j')
			arguments->form = FORM_JSON;
		else if (option == 't')
			arguments->detail = VMSI_MAPS_TOTAL;
		else
			return option;
	}
	return -1;
}

static void explain(const struct vmsi_listing *listing, int error)
{
	fprintf(stderr, "vmspace maps: process %d", (int)listing->pid);
	if (listing->command[0]) {
		fputs(" (", stderr);
		vmsi_write_escaped(stderr, listing->command);
		fputc(')', stderr);
	}
	/* A process whose name could be read exists, or has existed. */
	if (error == ESRCH && listing->command[0])
		fputs(": has no memory to list: it has ended or replaced its "
		      "memory, or is a kernel thread\n", stderr);
	else if (error == EACCES || error == EPERM)
		fprintf(stderr, ": %s: it is another user's, or protected\n",
			strerror(error));
	else if (error == EPROTO)
		fputs(": its listing in procfs is not understood\n", stderr);
	else if (error == ENOENT)
		fputs(": procfs is not mounted on /proc\n", stderr);
	else
		fprintf(stderr, ": %s\n", strerror(error));
}

static enum vmsi_exit write_listing(const char *program,
				    const struct vmsi_listing *listing,
				    const struct maps_options *arguments)
{
	int error = 0;

	if (arguments->form == FORM_JSON)
		error = vmsi_maps_write_json(listing, arguments->detail);
	else
		vmsi_maps_write_text(listing, arguments->detail,
				     arguments->style);
	if (error) {
		fprintf(stderr, "%s: %s\n", program, strerror(-error));
		return VMSI_EXIT_FAILED;
	}
	return vmsi_finish_output(program);
}

static enum vmsi_exit show_maps(const char *program,
				const struct maps_options *arguments)
{
	struct vmsi_listing listing;
	int error = vmsi_listing_read(&listing, arguments->pid);
	enum vmsi_exit result = VMSI_EXIT_FAILED;

	if (error)
		explain(&listing, -error);
	else
		result = write_listing(program, &listing, arguments);
	vmsi_listing_free(&listing);
	return result;
}

static enum vmsi_exit run_maps(int argc, char **argv)
{
	struct maps_options arguments = { .form = FORM_TEXT };

	switch (parse_options(argc, argv, &arguments)) {
	case -1:
		break;
	case 'h':
		return vmsi_show_help(&vmsi_command_maps);
	default:
		return vmsi_usage_hint(argv[0]);
	}
	if (argc - optind != 1)
		return vmsi_usage_error(argv[0], "name one process");
	if (parse_pid(argv[optind], &arguments.pid))
		return vmsi_usage_error(argv[0],
					"'%s' is not a process number",
					argv[optind]);
	return show_maps(argv[0], &arguments);
}

const struct vmsi_command vmsi_command_maps = {
	.name = "maps",
	.program = "vmspace maps",
	.summary = "list the mappings of a process",
	.help = help_text,
	.run = run_maps,
};
