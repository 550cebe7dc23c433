/* SPDX-License-Identifier: MIT */
#include "cli/report/report.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/output/report_file.h"
#include "cli/output/size.h"
#include "cli/recording/read.h"
#include "cli/report/page.h"

static const char help_text[] =
	"usage: vmspace report [OPTION...] FILE\n"
	"Show what 'vmspace trace' has recorded: who grew most, what each owner had over\n"
	"time, and what was refused.\n";

static const char notes[] = "Exit status: 0 done, 1 failed, 2 wrong arguments.\n";

enum { OPTION_FROM = 256, OPTION_TO };

static const struct vmsi_option report_options[] = {
	{ .name = "format", .value = 'f', .argument = "FORMAT",
	  .completion = VMSI_COMPLETE_WORDS, .words = "text csv json perfetto html",
	  .help = "text; csv; json; perfetto (ui.perfetto.dev); html" },
	{ .name = "from", .value = OPTION_FROM, .argument = "TIME",
	  .help = "what was after so many seconds and later" },
	{ .name = "to", .value = OPTION_TO, .argument = "TIME",
	  .help = "what was up to then" },
	{ .name = "output", .value = 'o', .argument = "FILE",
	  .completion = VMSI_COMPLETE_FILE,
	  .help = "write it there, and not to standard output" },
	VMSI_OPTION_TELL_BYTES('b'),
	VMSI_OPTION_HELP,
	{ .name = NULL },
};

/* The forms that are chosen where none is named. */
enum { TEXT, HTML = 4 };

struct form {
	const char *name;
	int (*write)(FILE *stream, const struct vmsi_report_view *view);
};

static int write_page(FILE *stream, const struct vmsi_report_view *view)
{
	return vmsi_page_write(stream, view->recording);
}

static const struct form forms[] = {
	[TEXT] = { "text", vmsi_report_text },
	{ "csv", vmsi_report_csv },
	{ "json", vmsi_report_json },
	{ "perfetto", vmsi_report_perfetto },
	[HTML] = { "html", write_page },
};

struct request {
	const struct form *form;
	const char *output; /* NULL: standard output */
	uint64_t from, to;
};

static enum vmsi_exit take_form(const char *program, const char *name,
				const struct form **form)
{
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		if (strcmp(name, forms[i].name) == 0) {
			*form = &forms[i];
			return VMSI_EXIT_OK;
		}
	return vmsi_usage_error(program, "'%s' is neither 'text', 'csv', 'json', "
				"'perfetto' nor 'html'", name);
}

/* Seconds, with or without the unit. */
static enum vmsi_exit take_time(const char *program, const char *text,
				uint64_t *time)
{
	char *end;
	const double number = strtod(text, &end);

	if (end == text || (*end && strcmp(end, "s") != 0) ||
	    !(number >= 0 && number <= 1e12))
		return vmsi_usage_error(program, "'%s' is not a time, as 1.5 or 1.5s "
					"are", text);
	*time = (uint64_t)(number * 1e6 + 0.5);
	return VMSI_EXIT_OK;
}

static enum vmsi_exit take_option(const char *program, int option,
				  struct request *request)
{
	switch (option) {
	case 'f':
		return take_form(program, optarg, &request->form);
	case 'o':
		request->output = strcmp(optarg, "-") == 0 ? NULL : optarg;
		return VMSI_EXIT_OK;
	case 'b':
		vmsi_tell_bytes();
		return VMSI_EXIT_OK;
	case OPTION_FROM:
		return take_time(program, optarg, &request->from);
	default:
		return take_time(program, optarg, &request->to);
	}
}

/* --- writing -------------------------------------------------------------------- */

static bool is_same_file(const char *a, const char *b)
{
	struct stat one, other;

	return stat(a, &one) == 0 && stat(b, &other) == 0 &&
		one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

/* A report of a view, for vmsi_report_write_by. */
struct output {
	const struct form *form;
	const struct vmsi_report_view *view;
};

static int write_form(FILE *stream, const void *context)
{
	const struct output *output = context;

	return output->form->write(stream, output->view);
}

static enum vmsi_exit write_file(const struct request *request, const char *path,
				 const struct vmsi_report_view *view)
{
	const struct output output = { request->form, view };
	const struct vmsi_report_writer writer = { write_form, &output };

	if (is_same_file(request->output, path)) {
		vmsi_complain(request->output, "is the recording itself");
		return VMSI_EXIT_USAGE;
	}
	return vmsi_report_write_by(&writer, request->output) ? VMSI_EXIT_OK :
								VMSI_EXIT_FAILED;
}

static enum vmsi_exit write_it(const char *program, const struct request *request,
			       const char *path,
			       const struct vmsi_recording *recording)
{
	const struct vmsi_report_view view = {
		.recording = recording, .from = request->from,
		.to = request->to < recording->length ? request->to :
							recording->length,
	};
	int error;

	if (view.from > view.to)
		return vmsi_usage_error(program, "nothing is between %.6f s and %.6f s",
					(double)view.from / 1e6,
					(double)view.to / 1e6);
	if (request->output)
		return write_file(request, path, &view);
	error = request->form->write(stdout, &view);
	if (!error)
		return vmsi_finish_output(program);
	vmsi_complain(path, "%s", strerror(-error));
	return VMSI_EXIT_FAILED;
}

static const char *why(int error)
{
	if (error == -EPROTO)
		return "this is no recording of 'vmspace trace'";
	if (error == -ENOTSUP)
		return "a later version of 'vmspace trace' wrote this";
	return strerror(-error);
}

static enum vmsi_exit show(const char *program, const struct request *request,
			   const char *path)
{
	struct vmsi_recording recording;
	enum vmsi_exit result;
	int error;

	vmsi_complain_as(program);
	error = vmsi_recording_read_file(&recording, path);
	if (error) {
		vmsi_complain(path, "%s", why(error));
		return VMSI_EXIT_FAILED;
	}
	result = write_it(program, request, path, &recording);
	vmsi_recording_free(&recording);
	return result;
}

/* What was not said: a page where it goes into one. */
static enum vmsi_exit settle(const char *program, struct request *request)
{
	const char *dot = request->output ? strrchr(request->output, '.') : NULL;

	if (!request->form)
		request->form = &forms[dot && strcmp(dot, ".html") == 0 ? HTML : TEXT];
	if (request->form == &forms[HTML] &&
	    (request->from > 0 || request->to != UINT64_MAX))
		return vmsi_usage_error(program, "a page has all of the recording, and is "
					"zoomed: leave out --from and --to");
	return VMSI_EXIT_OK;
}

static enum vmsi_exit run_report(int argc, char **argv)
{
	struct request request = { .to = UINT64_MAX };
	enum vmsi_exit result = VMSI_EXIT_OK;
	int option;

	while (result == VMSI_EXIT_OK &&
	       (option = vmsi_next_option(&vmsi_command_report, argc, argv)) != -1) {
		if (option == 'h')
			return vmsi_show_help(&vmsi_command_report, optarg);
		if (option == '?')
			return vmsi_option_hint(argv[0], argv[optind - 1]);
		result = take_option(argv[0], option, &request);
	}
	if (result == VMSI_EXIT_OK)
		result = settle(argv[0], &request);
	if (result != VMSI_EXIT_OK)
		return result;
	if (argc - optind != 1)
		return vmsi_usage_error(argv[0], "name one recording");
	return show(argv[0], &request, argv[optind]);
}

const struct vmsi_command vmsi_command_report = {
	.name = "report",
	.program = "vmspace report",
	.summary = "show what 'vmspace trace' has recorded",
	.help = help_text,
	.options = report_options,
	.notes = notes,
	.completion = VMSI_COMPLETE_FILE,
	.run = run_report,
};
