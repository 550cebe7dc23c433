/* SPDX-License-Identifier: MIT */
#include "cli/top/top.h"

#include <errno.h>
#include <getopt.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/sight/find.h"
#include "cli/top/listen.h"
#include "cli/top/live.h"
#include "cli/top/writers.h"
#include "text/number.h"

#define SECOND UINT64_C(1000000000)
/* A delay of less is of no use to the eye, and takes the time of others. */
#define LEAST_DELAY .1
#define MOST_DELAY 86400.

static const char help_text[] =
	"usage: vmspace top [OPTIONS] [PID | NAME]\n"
	"\n"
	"Show who has the memory, again and again: all processes, or the owners\n"
	"within one: libraries, heap, stacks, named memory. F1 tells the keys.\n";

enum { OPTION_FORMAT = 256 };

#define COLUMN_WORDS "commit writable reserved resident anonymous file " \
	"proportional swapped minor_faults major_faults growth mappings pid name"

static const struct vmsi_option top_options[] = {
	{ .name = "tree", .value = 't', .argument = "PID",
	  .completion = VMSI_COMPLETE_PROCESS,
	  .help = "a process and its descendants" },
	{ .name = "group", .value = 'g', .argument = "GROUP",
	  .help = "a group under 'vmspace limit': its name, or the",
	  .more = "number of its first process; or a cgroup's path" },
	{ .name = "pages", .value = 'p',
	  .help = "look at each page of all, however much they have" },
	{ .name = "delay", .value = 'd', .argument = "SECONDS",
	  .help = "between two looks; 1 without this" },
	{ .name = "sort", .value = 's', .argument = "COLUMN",
	  .completion = VMSI_COMPLETE_WORDS, .words = COLUMN_WORDS,
	  .help = "by a column; -COLUMN: the other way round" },
	{ .name = "filter", .value = 'f', .argument = "TEXT",
	  .help = "rows alone whose names have it" },
	VMSI_OPTION_TELL_BYTES('b'),
	{ .name = "once", .value = '1',
	  .help = "no screen: write the rows after two looks" },
	{ .name = "json", .value = 'j', .help = "write JSON, for programs" },
	{ .name = "format", .value = OPTION_FORMAT, .argument = "FORMAT",
	  .completion = VMSI_COMPLETE_WORDS, .words = "text json openmetrics",
	  .help = "text, json or openmetrics" },
	{ .name = "listen", .value = 'l', .argument = "ADDRESS:PORT",
	  .help = "answer GET /metrics, for Prometheus" },
	VMSI_OPTION_HELP,
	{ .name = NULL },
};

enum form { FORM_SCREEN, FORM_TEXT, FORM_JSON, FORM_OPENMETRICS };

struct request {
	struct vmsi_top_target target;
	struct vmsi_top_choice choice;
	bool has_sort, has_delay;
	enum form form;
	bool is_once;
	uint64_t delay; /* nanoseconds */
	const char *address;
};

/* --- options ----------------------------------------------------------------------- */

static enum vmsi_exit take_delay(struct request *request, const char *text)
{
	char *end;
	const double seconds = strtod(text, &end);

	if (end == text || *end || !isfinite(seconds) || seconds < 0 ||
	    seconds > MOST_DELAY)
		return vmsi_usage_error(vmsi_command_top.program,
					"'%s' is no number of seconds", text);
	request->delay = (uint64_t)(seconds * 1e9);
	request->has_delay = true;
	return VMSI_EXIT_OK;
}

static enum vmsi_exit take_sort(struct request *request, const char *text)
{
	request->choice.is_reversed = text[0] == '-';
	request->choice.sort = vmsi_top_column_find(text + (text[0] == '-'));
	request->has_sort = true;
	if (request->choice.sort == VMSI_TOP_ORDERS)
		return vmsi_usage_error(vmsi_command_top.program,
					"there is no column '%s'", text);
	return VMSI_EXIT_OK;
}

static enum vmsi_exit take_filter(struct request *request, const char *text)
{
	if (strlen(text) >= sizeof(request->choice.filter))
		return vmsi_usage_error(vmsi_command_top.program,
					"a filter has at most %zu bytes",
					sizeof(request->choice.filter) - 1);
	strcpy(request->choice.filter, text);
	return VMSI_EXIT_OK;
}

static enum vmsi_exit take_format(struct request *request, const char *text)
{
	static const char *const names[] = {
		[FORM_TEXT] = "text", [FORM_JSON] = "json",
		[FORM_OPENMETRICS] = "openmetrics",
	};

	for (enum form form = FORM_TEXT; form <= FORM_OPENMETRICS; form++)
		if (strcmp(names[form], text) == 0) {
			request->form = form;
			return VMSI_EXIT_OK;
		}
	return vmsi_usage_error(vmsi_command_top.program, "there is no format '%s'",
				text);
}

static enum vmsi_exit take_view(struct request *request, enum vmsi_top_view view,
				const char *text)
{
	struct vmsi_top_target *target = &request->target;

	if (target->view != VMSI_TOP_VIEW_MACHINE)
		return vmsi_usage_error(vmsi_command_top.program,
					"one process, tree or group at a time");
	target->view = view;
	target->group = text;
	if (view == VMSI_TOP_VIEW_TREE &&
	    (!vmsi_parse_int(text, &target->pid) || target->pid == 0))
		return vmsi_usage_error(vmsi_command_top.program,
					"'%s' is no number of a process", text);
	request->choice.is_tree = view == VMSI_TOP_VIEW_TREE;
	return VMSI_EXIT_OK;
}

static enum vmsi_exit take_option(struct request *request, int option)
{
	switch (option) {
	case '1':
		request->is_once = true;
		return VMSI_EXIT_OK;
	case 'b':
		request->choice.sizes = VMSI_SIZE_BYTES;
		return VMSI_EXIT_OK;
	case 'd':
		return take_delay(request, optarg);
	case 'f':
		return take_filter(request, optarg);
	case 'g':
		return take_view(request, VMSI_TOP_VIEW_GROUP, optarg);
	case 'j':
		request->form = FORM_JSON;
		return VMSI_EXIT_OK;
	case 'l':
		request->address = optarg;
		return VMSI_EXIT_OK;
	case 'p':
		request->target.walks = VMSI_TOP_WALKS_ALL;
		return VMSI_EXIT_OK;
	case 's':
		return take_sort(request, optarg);
	case 't':
		return take_view(request, VMSI_TOP_VIEW_TREE, optarg);
	case OPTION_FORMAT:
		return take_format(request, optarg);
	default:
		return vmsi_usage_hint(vmsi_command_top.program);
	}
}

/* --- a process ----------------------------------------------------------------------- */

static enum vmsi_exit complain_of_name(const char *name, const struct vmsi_finds *finds)
{
	if (finds->count == 0)
		vmsi_complain(name, "no process has that name");
	else
		vmsi_complain(name, "%zu processes have that name; one is %d",
			      finds->count, (int)finds->list[0].pid);
	return VMSI_EXIT_FAILED;
}

static enum vmsi_exit take_process(struct request *request, const char *text)
{
	struct vmsi_finds finds = { 0 };
	enum vmsi_exit result = take_view(request, VMSI_TOP_VIEW_PROCESS, text);
	int error;

	if (result != VMSI_EXIT_OK || (vmsi_parse_int(text, &request->target.pid) &&
				       request->target.pid > 0))
		return result;
	error = vmsi_finds_add_named(&finds, text);
	if (error && error != -ESRCH) {
		vmsi_complain(text, "%s", strerror(-error));
		result = VMSI_EXIT_FAILED;
	} else if (finds.count != 1) {
		result = complain_of_name(text, &finds);
	} else {
		request->target.pid = finds.list[0].pid;
	}
	vmsi_finds_free(&finds);
	return result;
}

/* --- what fits together -------------------------------------------------------------- */

/* Which columns there will be. */
static bool has_column(const struct vmsi_top_target *target, enum vmsi_top_column column)
{
	const bool is_process = target->view == VMSI_TOP_VIEW_PROCESS;
	const bool has_pages = target->walks == VMSI_TOP_WALKS_ALL;

	switch (column) {
	case VMSI_TOP_COMMIT:
		return has_pages || !is_process;
	case VMSI_TOP_PROPORTIONAL:
		return has_pages;
	case VMSI_TOP_RESIDENT:
	case VMSI_TOP_ANONYMOUS:
	case VMSI_TOP_FILE:
	case VMSI_TOP_SWAPPED:
		return has_pages || !is_process;
	case VMSI_TOP_RESERVED:
	case VMSI_TOP_MAPPINGS:
		return is_process;
	case VMSI_TOP_MINOR:
	case VMSI_TOP_MAJOR:
	case VMSI_TOP_NUMBER:
		return !is_process;
	default:
		return true;
	}
}

static enum vmsi_exit check_request(struct request *request)
{
	const char *program = vmsi_command_top.program;

	if (!request->has_sort)
		request->choice.sort = has_column(&request->target, VMSI_TOP_RESIDENT) ?
			VMSI_TOP_RESIDENT : VMSI_TOP_WRITABLE;
	else if (!has_column(&request->target, request->choice.sort))
		return vmsi_usage_error(program, "there is no column '%s' here; some "
					"come with --pages",
					vmsi_top_columns[request->choice.sort].name);
	if (request->is_once && request->form == FORM_SCREEN)
		request->form = FORM_TEXT;
	if (request->address && request->form != FORM_SCREEN &&
	    request->form != FORM_OPENMETRICS)
		return vmsi_usage_error(program, "--listen answers by openmetrics");
	if (request->address && !vmsi_top_is_address(request->address))
		return vmsi_usage_error(program, "'%s' is no address and port, such as "
					"127.0.0.1:9099", request->address);
	if (!request->has_delay)
		request->delay = SECOND;
	/* Who asks but once has time for all. */
	if (request->target.walks == VMSI_TOP_WALKS_IN_TIME && !request->address &&
	    request->form != FORM_SCREEN)
		request->target.walks = VMSI_TOP_WALKS_DUE;
	if (request->form == FORM_SCREEN && !request->address &&
	    (double)request->delay < LEAST_DELAY * 1e9)
		return vmsi_usage_error(program, "the screen needs a delay of %.1f "
					"seconds at least", LEAST_DELAY);
	return VMSI_EXIT_OK;
}

static enum vmsi_exit parse_options(int argc, char **argv, struct request *request,
				    bool *is_help)
{
	enum vmsi_exit result = VMSI_EXIT_OK;
	int option;

	while (result == VMSI_EXIT_OK &&
	       (option = vmsi_next_option(&vmsi_command_top, argc, argv)) > 0) {
		*is_help = option == 'h';
		if (*is_help)
			return VMSI_EXIT_OK;
		result = take_option(request, option);
	}
	for (int i = optind; result == VMSI_EXIT_OK && i < argc; i++)
		result = take_process(request, argv[i]);
	return result == VMSI_EXIT_OK ? check_request(request) : result;
}

/* --- one answer ---------------------------------------------------------------------- */

static enum vmsi_exit look(struct vmsi_top_source *source, struct vmsi_top_model *model)
{
	const int error = vmsi_top_source_read(source, model);

	if (error)
		vmsi_top_source_explain(source, error);
	return error ? VMSI_EXIT_FAILED : VMSI_EXIT_OK;
}

/* Rates take two looks; counters one. */
static enum vmsi_exit look_for(const struct request *request,
			       struct vmsi_top_source *source,
			       struct vmsi_top_model *model)
{
	struct timespec left = { (time_t)(request->delay / SECOND),
				 (long)(request->delay % SECOND) };
	const enum vmsi_exit result = look(source, model);

	if (result != VMSI_EXIT_OK || request->delay == 0 ||
	    request->form == FORM_OPENMETRICS)
		return result;
	while (nanosleep(&left, &left) && errno == EINTR)
		;
	return look(source, model);
}

static enum vmsi_exit write_once(const struct request *request,
				 struct vmsi_top_source *source,
				 struct vmsi_top_model *model)
{
	enum vmsi_exit result = look_for(request, source, model);
	int error = 0;

	if (result != VMSI_EXIT_OK)
		return result;
	if (request->form == FORM_JSON)
		error = vmsi_top_write_json(model, request->target.view);
	else if (request->form == FORM_OPENMETRICS)
		vmsi_top_write_openmetrics(stdout, model, request->target.view);
	else
		vmsi_top_write_text(model, vmsi_top_source_title(source));
	if (error) {
		vmsi_complain("JSON", "%s", strerror(-error));
		return VMSI_EXIT_FAILED;
	}
	return vmsi_finish_output(vmsi_command_top.program);
}

/* --- the command --------------------------------------------------------------------- */

#ifndef VMSI_WITH_NCURSES
enum vmsi_exit vmsi_top_live(struct vmsi_top_source *source,
			     struct vmsi_top_model *model, uint64_t delay_ns)
{
	(void)source;
	(void)model;
	(void)delay_ns;
	vmsi_complain("screen", "this vmspace was built without ncurses, and so "
		      "without it; --once does without");
	return VMSI_EXIT_FAILED;
}
#endif

static enum vmsi_exit show(const struct request *request)
{
	struct vmsi_top_model model = { .choice = request->choice };
	struct vmsi_top_source *source = vmsi_top_source_open(&request->target, &model);
	enum vmsi_exit result = VMSI_EXIT_FAILED;

	if (!source)
		return result;
	if (request->address)
		result = vmsi_top_listen(request->address, source, &model,
					 request->target.view);
	else if (request->form == FORM_SCREEN)
		result = vmsi_top_live(source, &model, request->delay);
	else
		result = write_once(request, source, &model);
	vmsi_top_source_close(source);
	vmsi_top_free(&model);
	return result;
}

static enum vmsi_exit run_top(int argc, char **argv)
{
	struct request request = { .form = FORM_SCREEN };
	bool is_help = false;
	enum vmsi_exit result;

	/* What a name's bytes are, and how many columns they take. */
	setlocale(LC_CTYPE, "");
	vmsi_complain_as(vmsi_command_top.program);
	result = parse_options(argc, argv, &request, &is_help);
	if (is_help)
		return vmsi_show_help(&vmsi_command_top, optarg);
	return result == VMSI_EXIT_OK ? show(&request) : result;
}

const struct vmsi_command vmsi_command_top = {
	.name = "top",
	.program = "vmspace top",
	.summary = "show who has the memory, again and again",
	.help = help_text,
	.options = top_options,
	.completion = VMSI_COMPLETE_PROCESS,
	.run = run_top,
};
