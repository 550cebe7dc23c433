/* SPDX-License-Identifier: MIT */
#include <getopt.h>
#include <stdbool.h>
#include <stdlib.h>

#include "cli/command.h"

/* Most that getopt_long(3) wants of the short options: a '+', and each with a ':'. */
#define SHORT_MOST (2 + 2 * VMSI_OPTIONS_MOST)

static int takes(const struct vmsi_option *row)
{
	if (!row->argument)
		return no_argument;
	return row->flags & VMSI_OPTION_MAY_BE_BARE ? optional_argument :
						      required_argument;
}

static bool has_short(const struct vmsi_option *row)
{
	return row->value < 128;
}

/*
 * A short option never takes an argument that may be left out: letters behind it would
 * be one.
 */
static char *add_short(char *end, const struct vmsi_option *row)
{
	*end++ = (char)row->value;
	if (takes(row) == required_argument)
		*end++ = ':';
	return end;
}

static bool ends_at_operand(const struct vmsi_command *command)
{
	return command->program_at == VMSI_PROGRAM_FIRST ||
		command->program_at == VMSI_PROGRAM_SECOND;
}

int vmsi_next_option(const struct vmsi_command *command, int argc, char **argv)
{
	struct option table[VMSI_OPTIONS_MOST + 1] = { 0 };
	char letters[SHORT_MOST], *end = letters;
	const struct vmsi_option *row = command->options;

	if (ends_at_operand(command))
		*end++ = '+';
	for (size_t i = 0; row->name; i++, row++) {
		if (i == VMSI_OPTIONS_MOST)
			abort();
		table[i] = (struct option){ row->name, takes(row), NULL,
			row->value };
		if (has_short(row))
			end = add_short(end, row);
	}
	*end = '\0';
	return getopt_long(argc, argv, letters, table, NULL);
}
