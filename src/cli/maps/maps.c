/* SPDX-License-Identifier: MIT */
#include "cli/maps/maps.h"

#include <errno.h>
#include <getopt.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/output/text.h"
#include "cli/sight/find.h"
#include "text/number.h"

static const char help_text[] =
	"usage: vmspace maps [OPTIONS] PID | NAME ...\n"
	"\n"
	"Show to whom the memory of processes belongs: libraries and files, heaps,\n"
	"stacks, what programs have named. 'self' is vmspace itself.\n"
	"\n"
	"  -p, --pages         all columns; the kernel looks at each page for it\n"
	"  -a, --all           the mappings of each owner, too\n"
	"  -l, --list          only mappings, in order of address\n"
	"  -t, --total         a row a process\n"
	"      --tree PID      a process and its descendants\n"
	"      --user NAME     all processes of a user\n"
	"  -c, --columns LIST  size,reserved,writable,mappings; with a look at each\n"
	"                      page: commit,resident,anonymous,file,proportional,\n"
	"                      swapped,huge,locked; or all\n"
	"  -s, --sort COLUMN   or name; -COLUMN: the least first\n"
	"  -f, --filter TEXT   owners whose names have it, match 'lib*', or of a kind\n"
	"  -b, --bytes         sizes in bytes instead of 188K, 1.3M, 2G\n"
	"  -j, --json          write JSON, for programs\n"
	"  -h, --help          this text\n"
	"\n"
	"'man vmspace-maps' explains the columns.\n";

enum { OPTION_TREE = 256, OPTION_USER };

/* --- which processes ------------------------------------------------------ */

static enum vmsi_exit explain_find(const char *what, const char *name, int error)
{
	if (error == -ESRCH)
		vmsi_complain(name, "there is no %s", what);
	else if (error == -ENOENT)
		vmsi_complain(name, "procfs is not mounted on /proc");
	else
		vmsi_complain(name, "%s", strerror(-error));
	return VMSI_EXIT_FAILED;
}

static enum vmsi_exit find_tree(struct vmsi_finds *finds, const char *text)
{
	pid_t pid;
	int error;

	if (!vmsi_parse_int(text, &pid) || pid == 0)
		return vmsi_usage_error("vmspace maps",
					"'%s' is not a process number", text);
	error = vmsi_finds_add_tree(finds, pid);
	return error ? explain_find("such process", text, error) : VMSI_EXIT_OK;
}

static enum vmsi_exit find_user(struct vmsi_finds *finds, const char *name)
{
	const struct passwd *entry = getpwnam(name);
	int number, error;

	if (entry)
		error = vmsi_finds_add_user(finds, entry->pw_uid);
	else if (vmsi_parse_int(name, &number))
		error = vmsi_finds_add_user(finds, (uid_t)number);
	else
		return vmsi_usage_error("vmspace maps", "there is no user '%s'",
					name);
	return error ? explain_find("process of that user", name, error) :
		       VMSI_EXIT_OK;
}

static enum vmsi_exit find_named(struct vmsi_finds *finds, const char *name)
{
	pid_t pid;
	int error;

	if (strcmp(name, "self") == 0)
		error = vmsi_finds_add(finds, getpid());
	else if (vmsi_parse_int(name, &pid))
		error = pid ? vmsi_finds_add(finds, pid) : -ESRCH;
	else
		error = vmsi_finds_add_named(finds, name);
	return error ? explain_find("such process", name, error) : VMSI_EXIT_OK;
}

/* --- options -------------------------------------------------------------- */

static enum vmsi_exit take_view(struct vmsi_maps_view *view, int option)
{
	switch (option) {
	case 'a':
		view->detail = VMSI_MAPS_ALL;
		break;
	case 'b':
		view->style = VMSI_SIZE_BYTES;
		break;
	case 'c':
		if (!vmsi_maps_take_columns(view, optarg))
			return vmsi_usage_error("vmspace maps",
				"'%s' has a column that there is not", optarg);
		break;
	case 'f':
		view->filter = optarg;
		break;
	case 'j':
		view->form = VMSI_MAPS_JSON;
		break;
	case 'l':
		view->detail = VMSI_MAPS_LIST;
		break;
	case 'p':
		view->what |= VMSI_SEE_PAGES;
		break;
	case 's':
		if (!vmsi_maps_take_sort(view, optarg))
			return vmsi_usage_error("vmspace maps",
				"'%s' is no column", optarg);
		break;
	case 't':
		view->detail = VMSI_MAPS_TOTAL;
		break;
	default:
		return vmsi_usage_hint("vmspace maps");
	}
	return VMSI_EXIT_OK;
}

static enum vmsi_exit take_option(struct vmsi_maps_view *view,
				  struct vmsi_finds *finds, int option)
{
	if (option == OPTION_TREE)
		return find_tree(finds, optarg);
	if (option == OPTION_USER)
		return find_user(finds, optarg);
	return take_view(view, option);
}

/* *is_help: the help was asked for, and nothing else counts. */
static enum vmsi_exit parse_options(int argc, char **argv,
				    struct vmsi_maps_view *view,
				    struct vmsi_finds *finds, bool *is_help)
{
	static const struct option options[] = {
		{ "all", no_argument, NULL, 'a' },
		{ "bytes", no_argument, NULL, 'b' },
		{ "columns", required_argument, NULL, 'c' },
		{ "filter", required_argument, NULL, 'f' },
		{ "help", no_argument, NULL, 'h' },
		{ "json", no_argument, NULL, 'j' },
		{ "list", no_argument, NULL, 'l' },
		{ "pages", no_argument, NULL, 'p' },
		{ "sort", required_argument, NULL, 's' },
		{ "total", no_argument, NULL, 't' },
		{ "tree", required_argument, NULL, OPTION_TREE },
		{ "user", required_argument, NULL, OPTION_USER },
		{ NULL, 0, NULL, 0 },
	};
	enum vmsi_exit result = VMSI_EXIT_OK;
	int option;

	while (result == VMSI_EXIT_OK &&
	       (option = getopt_long(argc, argv, "abc:f:hjlps:t", options,
				     NULL)) > 0) {
		if (option == 'h') {
			*is_help = true;
			return VMSI_EXIT_OK;
		}
		result = take_option(view, finds, option);
	}
	for (int i = optind; result == VMSI_EXIT_OK && i < argc; i++)
		result = find_named(finds, argv[i]);
	if (result == VMSI_EXIT_OK && finds->count == 0)
		result = vmsi_usage_error("vmspace maps", "name a process");
	return result;
}

/* --- reading -------------------------------------------------------------- */

static void explain(const struct vmsi_process *process, int error)
{
	fprintf(stderr, "vmspace maps: process %d", (int)process->pid);
	if (process->command[0]) {
		fputs(" (", stderr);
		vmsi_write_escaped(stderr, process->command);
		fputc(')', stderr);
	}
	/* A process whose name could be read exists, or has existed. */
	if (error == -ESRCH && process->command[0])
		fputs(": has no memory to list: it has ended or replaced its "
		      "memory, or is a kernel thread\n", stderr);
	else if (error == -EACCES || error == -EPERM)
		fprintf(stderr, ": %s: it is another user's, or protected\n",
			strerror(-error));
	else if (error == -EPROTO)
		fputs(": its listing in procfs is not understood\n", stderr);
	else if (error == -ENOENT)
		fputs(": procfs is not mounted on /proc\n", stderr);
	else
		fprintf(stderr, ": %s\n", strerror(-error));
}

/*
 * Read a process; a failure is told. One that was only found may have ended since,
 * of which nothing is said.
 */
static enum vmsi_exit see(struct vmsi_maps_processes *processes,
			  const struct vmsi_found *found, unsigned what)
{
	struct vmsi_process *process = &processes->list[processes->count];
	const int error = vmsi_process_see(process, found->pid, what);

	if (!error) {
		processes->count++;
		return VMSI_EXIT_OK;
	}
	if (found->is_asked_for || error != -ESRCH)
		explain(process, error);
	vmsi_process_free(process);
	return found->is_asked_for || error != -ESRCH ? VMSI_EXIT_FAILED :
							VMSI_EXIT_OK;
}

static enum vmsi_exit write_processes(const struct vmsi_maps_view *view,
				      const struct vmsi_maps_processes *processes)
{
	const int error = view->form == VMSI_MAPS_JSON ?
		vmsi_maps_write_json(view, processes) :
		vmsi_maps_write_text(view, processes);

	if (error) {
		fprintf(stderr, "vmspace maps: %s\n", strerror(-error));
		return VMSI_EXIT_FAILED;
	}
	return vmsi_finish_output("vmspace maps");
}

static enum vmsi_exit show(const struct vmsi_maps_view *view,
			   const struct vmsi_finds *finds)
{
	struct vmsi_maps_processes processes = {
		.list = calloc(finds->count, sizeof(*processes.list)),
	};
	enum vmsi_exit result = VMSI_EXIT_OK, written = VMSI_EXIT_OK;

	if (!processes.list) {
		fprintf(stderr, "vmspace maps: %s\n", strerror(ENOMEM));
		return VMSI_EXIT_FAILED;
	}
	for (size_t i = 0; i < finds->count; i++)
		if (see(&processes, &finds->list[i], view->what) != VMSI_EXIT_OK)
			result = VMSI_EXIT_FAILED;
	if (processes.count)
		written = write_processes(view, &processes);
	for (size_t i = 0; i < processes.count; i++)
		vmsi_process_free(&processes.list[i]);
	free(processes.list);
	return written != VMSI_EXIT_OK ? written : result;
}

static enum vmsi_exit run_maps(int argc, char **argv)
{
	struct vmsi_maps_view view = { .form = VMSI_MAPS_TEXT };
	struct vmsi_finds finds = { 0 };
	bool is_help = false;
	enum vmsi_exit result;

	vmsi_complain_as("vmspace maps");
	result = parse_options(argc, argv, &view, &finds, &is_help);
	if (is_help)
		result = vmsi_show_help(&vmsi_command_maps);
	else if (result == VMSI_EXIT_OK) {
		vmsi_maps_complete_view(&view);
		result = show(&view, &finds);
	}
	vmsi_finds_free(&finds);
	return result;
}

const struct vmsi_command vmsi_command_maps = {
	.name = "maps",
	.program = "vmspace maps",
	.summary = "show to whom the memory of processes belongs",
	.help = help_text,
	.run = run_maps,
};
