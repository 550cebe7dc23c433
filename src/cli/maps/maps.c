/* SPDX-License-Identifier: MIT */
#include "cli/maps/maps.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/output/text.h"
#include "cli/sight/at_end.h"
#include "cli/sight/saved.h"
#include "text/number.h"

static const char help_text[] =
	"usage: vmspace maps [OPTIONS] PID | NAME ...\n"
	"       vmspace maps [OPTIONS] -- PROGRAM [ARGUMENT]...\n"
	"\n"
	"Show to whom the memory of processes belongs: files, heaps, stacks, what is\n"
	"named. 'self' is vmspace itself; a PROGRAM is shown as it is at its end.\n";

static const char notes[] = "'man vmspace-maps' explains columns and owners.\n";

#define COLUMN_WORDS "size reserved writable mappings commit resident anonymous " \
	"file proportional swapped huge locked"

enum { OPTION_TREE = 256, OPTION_USER };

static const struct vmsi_option maps_options[] = {
	{ .name = "pages", .value = 'p',
	  .help = "look at each page: commit, resident, swapped, ..." },
	{ .name = "all", .value = 'a', .help = "the mappings of each owner, too" },
	{ .name = "list", .value = 'l',
	  .help = "only mappings, in order of address" },
	{ .name = "total", .value = 't', .help = "a row a process" },
	{ .name = "tree", .value = OPTION_TREE, .argument = "PID",
	  .completion = VMSI_COMPLETE_PROCESS,
	  .help = "a process and its descendants" },
	{ .name = "user", .value = OPTION_USER, .argument = "NAME",
	  .completion = VMSI_COMPLETE_USER, .help = "all processes of a user" },
	{ .name = "diff", .value = 'd', .argument = "FILE",
	  .completion = VMSI_COMPLETE_FILE,
	  .help = "what has changed since; FILE is by --json" },
	{ .name = "columns", .value = 'c', .argument = "LIST",
	  .completion = VMSI_COMPLETE_LIST, .words = "all " COLUMN_WORDS,
	  .help = "which columns: all, or of size,reserved,writable,",
	  .more = "mappings,commit,resident,anonymous,file,\n"
		"proportional,swapped,huge,locked" },
	{ .name = "sort", .value = 's', .argument = "COLUMN",
	  .completion = VMSI_COMPLETE_WORDS, .words = "name " COLUMN_WORDS,
	  .help = "by a column, or name; -COLUMN: the least first" },
	{ .name = "filter", .value = 'f', .argument = "TEXT",
	  .help = "owners whose names have it, match 'lib*', or",
	  .more = "of a kind" },
	VMSI_OPTION_TELL_BYTES('b'),
	{ .name = "json", .value = 'j', .help = "write JSON, for programs" },
	VMSI_OPTION_HELP,
	{ .name = NULL },
};

/* What is to be shown. */
struct request {
	struct vmsi_maps_view view;
	struct vmsi_finds finds;
	bool is_incomplete;         /* there is none of a name, which is told */
	const char *before, *after; /* saved listings; NULL: none */
	char **program;             /* and its arguments; NULL: none */
};

/* --- which processes ------------------------------------------------------ */

/* That one is not there does not hide the others. */
static enum vmsi_exit explain_find(struct request *request, const char *what,
				   const char *name, int error)
{
	if (error == 0)
		return VMSI_EXIT_OK;
	if (error == -ESRCH) {
		vmsi_complain(name, "there is no %s", what);
		request->is_incomplete = true;
		return VMSI_EXIT_OK;
	}
	if (error == -ENOENT)
		vmsi_complain(name, "procfs is not mounted on /proc");
	else
		vmsi_complain(name, "%s", strerror(-error));
	return VMSI_EXIT_FAILED;
}

static enum vmsi_exit find_tree(struct request *request, const char *text)
{
	pid_t pid;

	if (!vmsi_parse_int(text, &pid) || pid == 0)
		return vmsi_usage_error("vmspace maps",
					"'%s' is not a process number", text);
	return explain_find(request, "such process", text,
			    vmsi_finds_add_tree(&request->finds, pid));
}

/*
 * Returns whether /etc/passwd has a user of that name. Other sources of names need
 * libraries that a command without libraries cannot have: their users have numbers.
 */
static bool find_uid(const char *name, uid_t *user)
{
	FILE *file = fopen("/etc/passwd", "re");
	const struct passwd *entry = NULL;
	bool is_found = false;

	if (!file)
		return false;
	while (!is_found && (entry = fgetpwent(file)))
		is_found = strcmp(entry->pw_name, name) == 0;
	if (is_found)
		*user = entry->pw_uid;
	fclose(file);
	return is_found;
}

static enum vmsi_exit find_user(struct request *request, const char *name)
{
	int number;
	uid_t user;

	if (vmsi_parse_int(name, &number))
		user = (uid_t)number;
	else if (!find_uid(name, &user))
		return vmsi_usage_error("vmspace maps",
			"/etc/passwd has no user '%s'; a number does, too", name);
	return explain_find(request, "process of that user", name,
			    vmsi_finds_add_user(&request->finds, user));
}

static bool is_file(const char *name)
{
	struct stat status;

	return stat(name, &status) == 0 && S_ISREG(status.st_mode);
}

static enum vmsi_exit find_named(struct request *request, const char *name)
{
	struct vmsi_finds *finds = &request->finds;
	pid_t pid;
	int error;

	if (strcmp(name, "self") == 0) {
		error = vmsi_finds_add(finds, getpid());
	} else if (name[strspn(name, "0123456789")] == '\0') {
		if (!vmsi_parse_int(name, &pid) || pid == 0)
			return vmsi_usage_error("vmspace maps",
				"'%s' is not a process number", name);
		error = vmsi_finds_add(finds, pid);
	} else if (request->before && !request->after && is_file(name)) {
		request->after = name;
		error = 0;
	} else {
		error = vmsi_finds_add_named(finds, name);
	}
	return explain_find(request, "such process", name, error);
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

static enum vmsi_exit take_option(struct request *request, int option)
{
	if (option == OPTION_TREE)
		return find_tree(request, optarg);
	if (option == OPTION_USER)
		return find_user(request, optarg);
	if (option != 'd')
		return take_view(&request->view, option);
	request->before = optarg;
	request->view.is_difference = true;
	return VMSI_EXIT_OK;
}

/* Take the program off the arguments. Returns how many are left. */
static int take_program(int argc, char **argv, struct request *request)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "--") == 0) {
			request->program = &argv[i + 1];
			return i;
		}
	return argc;
}

static enum vmsi_exit check_request(const struct request *request)
{
	const bool has_processes = request->finds.count > 0 ||
		request->is_incomplete;
	const enum vmsi_maps_detail detail = request->view.detail;

	if (request->program && !request->program[0])
		return vmsi_usage_error("vmspace maps", "name a program");
	if (has_processes + !!request->program + !!request->after > 1)
		return vmsi_usage_error("vmspace maps", "processes, a program or a "
					"saved listing: one of them");
	if (has_processes + !!request->program + !!request->after == 0)
		return vmsi_usage_error("vmspace maps", "name a process");
	if (request->before && (detail == VMSI_MAPS_ALL || detail == VMSI_MAPS_LIST))
		return vmsi_usage_error("vmspace maps", "--diff compares owners, "
					"and no single mappings");
	return VMSI_EXIT_OK;
}

/* *is_help: the help was asked for, and nothing else counts. */
static enum vmsi_exit parse_options(int argc, char **argv,
				    struct request *request, bool *is_help)
{
	enum vmsi_exit result = VMSI_EXIT_OK;
	int option;

	argc = take_program(argc, argv, request);
	while (result == VMSI_EXIT_OK &&
	       (option = vmsi_next_option(&vmsi_command_maps, argc, argv)) > 0) {
		if (option == 'h') {
			*is_help = true;
			return VMSI_EXIT_OK;
		}
		result = take_option(request, option);
	}
	for (int i = optind; result == VMSI_EXIT_OK && i < argc; i++)
		result = find_named(request, argv[i]);
	return result == VMSI_EXIT_OK ? check_request(request) : result;
}

/* --- saved listings ------------------------------------------------------- */

/* Figures that are to be shown must have been saved. */
static enum vmsi_exit read_saved(const struct request *request, const char *path,
				 struct vmsi_seen_processes *processes)
{
	const char *why = vmsi_saved_read(path, processes);

	for (size_t i = 0; !why && i < processes->count; i++)
		if (request->view.what & ~processes->list[i].what & VMSI_SEE_PAGES)
			why = "was saved without --pages";
	if (!why)
		return VMSI_EXIT_OK;
	vmsi_complain(path, "%s", why);
	return VMSI_EXIT_FAILED;
}

/* --- writing -------------------------------------------------------------- */

static enum vmsi_exit write_processes(const struct vmsi_maps_view *view,
				      const struct vmsi_seen_processes *processes)
{
	static char buffer[64 << 10];
	int error;

	/* A listing may be some MiB. A terminal is shown line by line. */
	if (!isatty(STDOUT_FILENO))
		setvbuf(stdout, buffer, _IOFBF, sizeof(buffer));
	error = view->form == VMSI_MAPS_JSON ?
		vmsi_maps_write_json(view, processes) :
		vmsi_maps_write_text(view, processes);

	return error ? vmsi_maps_complain_of_memory() : vmsi_finish_output("vmspace maps");
}

static enum vmsi_exit write_difference(const struct request *request,
				       const struct vmsi_seen_processes *after)
{
	struct vmsi_seen_processes before, differences = { 0 };
	enum vmsi_exit result = read_saved(request, request->before, &before);

	if (result == VMSI_EXIT_OK) {
		if (vmsi_seen_processes_compare(&differences, &before, after))
			result = vmsi_maps_complain_of_memory();
		else
			result = write_processes(&request->view, &differences);
	}
	vmsi_seen_processes_free(&differences);
	vmsi_seen_processes_free(&before);
	return result;
}

static enum vmsi_exit write_all(const struct request *request,
				const struct vmsi_seen_processes *processes)
{
	if (processes->count == 0)
		return VMSI_EXIT_OK;
	return request->before ? write_difference(request, processes) :
				 write_processes(&request->view, processes);
}

/* --- processes, a program, or what was saved ------------------------------ */

struct look {
	const struct request *request;
	struct vmsi_seen_processes processes;
	enum vmsi_exit result;
};

static void look_at_end(void *context, pid_t pid)
{
	struct vmsi_found found = { .pid = pid, .is_asked_for = true };
	const struct vmsi_finds finds = { .list = &found, .count = 1 };
	struct look *look = context;

	look->result = vmsi_maps_see(&look->request->view, &finds, &look->processes);
}

static enum vmsi_exit exit_of(int status)
{
	return (enum vmsi_exit)(WIFEXITED(status) ? WEXITSTATUS(status) :
						    128 + WTERMSIG(status));
}

/* Ends as the program does, where what it had can be shown. */
static enum vmsi_exit show_program(const struct request *request)
{
	struct look look = { .request = request };
	struct vmsi_at_end run = {
		.arguments = request->program,
		.look = look_at_end,
		.context = &look,
	};
	enum vmsi_exit result = vmsi_at_end_run(&run), shown;

	if (result == VMSI_EXIT_OK) {
		shown = write_all(request, &look.processes);
		if (look.result != VMSI_EXIT_OK || shown != VMSI_EXIT_OK)
			result = VMSI_EXIT_RUN_FAILED;
		else
			result = exit_of(run.status);
	}
	vmsi_seen_processes_free(&look.processes);
	return result;
}

static enum vmsi_exit show_processes(const struct request *request)
{
	struct vmsi_seen_processes processes = { 0 };
	enum vmsi_exit result = request->after ?
		read_saved(request, request->after, &processes) :
		vmsi_maps_see(&request->view, &request->finds, &processes);
	enum vmsi_exit written = VMSI_EXIT_OK;

	if (result == VMSI_EXIT_OK || !request->after)
		written = write_all(request, &processes);
	vmsi_seen_processes_free(&processes);
	if (written != VMSI_EXIT_OK)
		return written;
	return request->is_incomplete ? VMSI_EXIT_FAILED : result;
}

static enum vmsi_exit run_maps(int argc, char **argv)
{
	struct request request = { .view = { .form = VMSI_MAPS_TEXT } };
	bool is_help = false;
	enum vmsi_exit result;

	vmsi_complain_as("vmspace maps");
	result = parse_options(argc, argv, &request, &is_help);
	if (is_help) {
		result = vmsi_show_help(&vmsi_command_maps, optarg);
	} else if (result == VMSI_EXIT_OK) {
		vmsi_maps_complete_view(&request.view);
		result = request.program ? show_program(&request) :
					   show_processes(&request);
	}
	vmsi_finds_free(&request.finds);
	return result;
}

const struct vmsi_command vmsi_command_maps = {
	.name = "maps",
	.program = "vmspace maps",
	.summary = "show to whom the memory of processes belongs",
	.help = help_text,
	.options = maps_options,
	.notes = notes,
	.program_at = VMSI_PROGRAM_BEHIND_DASHES,
	.completion = VMSI_COMPLETE_PROCESS,
	.run = run_maps,
};
