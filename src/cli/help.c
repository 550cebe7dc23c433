/* SPDX-License-Identifier: MIT */
#include <stdbool.h>
#include <string.h>

#include "cli/command.h"

/* --- rows ----------------------------------------------------------------- */

/* Options with more than that would leave their texts no room. */
#define LABEL_MOST 64

struct label {
	char text[LABEL_MOST];
};

/* Whether other options than -h have a letter: what has none is then indented. */
static bool has_letters(const struct vmsi_option *options)
{
	for (const struct vmsi_option *row = options; row->name; row++)
		if (row->value < 128 && row->value != 'h')
			return true;
	return false;
}

static int count_rare(const struct vmsi_option *options)
{
	int count = 0;

	for (const struct vmsi_option *row = options; row->name; row++)
		count += row->flags & VMSI_OPTION_IS_RARE ? 1 : 0;
	return count;
}

/* What is written of the options, and how. */
struct rows {
	FILE *stream;
	enum vmsi_help_extent extent;
	bool is_indented; /* by the room of a letter, where there is none */
	int rare;         /* options that only the whole help has */
	int column;       /* of the texts */
};

static bool is_written(const struct rows *rows, const struct vmsi_option *row)
{
	return rows->extent == VMSI_HELP_WHOLE ||
		!(row->flags & VMSI_OPTION_IS_RARE);
}

/* "-c, --columns=LIST". That --help takes something is told where there is more. */
static struct label label_of(const struct rows *rows,
			     const struct vmsi_option *row)
{
	const bool is_bare = row->flags & VMSI_OPTION_MAY_BE_BARE;
	const char *argument = row->value == 'h' && !rows->rare ? NULL :
								  row->argument;
	struct label label;
	char letter[] = "-x, ";

	letter[1] = (char)row->value;
	snprintf(label.text, sizeof label.text, "%s--%s%s%s%s",
		 row->value < 128 ? letter : rows->is_indented ? "    " : "",
		 row->name, !argument ? "" : is_bare ? "[=" : "=",
		 argument ? argument : "", argument && is_bare ? "]" : "");
	return label;
}

/* The text of an option; its further lines begin in the same column. */
static void write_text(const struct rows *rows, const struct vmsi_option *row)
{
	const char *rest = row->more;
	FILE *stream = rows->stream;

	fputs(row->help, stream);
	if (row->value == 'h' && rows->rare && rows->extent == VMSI_HELP_SHORT)
		fprintf(stream, "; =all: %d more options, too", rows->rare);
	fputc('\n', stream);
	while (rest) {
		const char *end = strchrnul(rest, '\n');

		fprintf(stream, "%*s%.*s\n", rows->column, "", (int)(end - rest), rest);
		rest = *end ? end + 1 : NULL;
	}
}

static void write_options(FILE *stream, const struct vmsi_option *options,
			  enum vmsi_help_extent extent)
{
	struct rows rows = {
		.stream = stream,
		.extent = extent,
		.is_indented = has_letters(options),
		.rare = count_rare(options),
	};

	for (const struct vmsi_option *row = options; row->name; row++) {
		const int width = (int)strlen(label_of(&rows, row).text) + 4;

		if (is_written(&rows, row) && width > rows.column)
			rows.column = width;
	}
	for (const struct vmsi_option *row = options; row->name; row++) {
		if (!is_written(&rows, row))
			continue;
		fprintf(stream, "  %-*s", rows.column - 2,
			label_of(&rows, row).text);
		write_text(&rows, row);
	}
}

/* --- a command ------------------------------------------------------------ */

void vmsi_write_help(FILE *stream, const struct vmsi_command *command,
		     enum vmsi_help_extent extent)
{
	fprintf(stream, "%s\n", command->help);
	write_options(stream, command->options, extent);
	if (command->notes)
		fprintf(stream, "\n%s", command->notes);
}

enum vmsi_exit vmsi_show_help(const struct vmsi_command *command,
			      const char *which)
{
	if (which && strcmp(which, "all") != 0)
		return vmsi_usage_error(command->program, "--help takes 'all', and "
					"no '%s'", which);
	vmsi_write_help(stdout, command, which ? VMSI_HELP_WHOLE :
						 VMSI_HELP_SHORT);
	return vmsi_finish_output(command->program);
}
