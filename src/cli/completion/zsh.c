/* SPDX-License-Identifier: MIT */
#include <stdbool.h>

#include "cli/completion/scripts.h"

/* Characters that _arguments(1) gives a meaning within a text. */
#define SPECIAL "\\[]:"
#define QUOTE "'\\''"

static void write_begin(FILE *stream)
{
	fputs("#compdef vmspace\n"
	      "# Completes the arguments of vmspace in zsh. 'vmspace completion zsh' "
	      "writes it.\n\n", stream);
}

/* The action behind the last colon of a specification. */
static void write_action(FILE *stream, enum vmsi_completion completion,
			 const char *words)
{
	switch (completion) {
	case VMSI_COMPLETE_NOTHING:
		fputc(' ', stream);
		break;
	case VMSI_COMPLETE_WORDS:
		fprintf(stream, "(%s)", words);
		break;
	case VMSI_COMPLETE_LIST:
		fprintf(stream, "_sequence compadd -S \"\" - %s", words);
		break;
	case VMSI_COMPLETE_FILE:
		fputs("_files", stream);
		break;
	case VMSI_COMPLETE_DIRECTORY:
		fputs("_files -/", stream);
		break;
	case VMSI_COMPLETE_PROCESS:
		fputs("_pids", stream);
		break;
	case VMSI_COMPLETE_USER:
		fputs("_users", stream);
		break;
	case VMSI_COMPLETE_SIGNAL:
		fputs("_vmspace_signals", stream);
		break;
	case VMSI_COMPLETE_COMMAND:
		fputs("_vmspace_commands", stream);
		break;
	}
}

/* "[text]:ARGUMENT:action'", behind the name of an option. */
static void write_rest(FILE *stream, const struct vmsi_option *row,
		       bool has_argument)
{
	fputc('[', stream);
	vmsi_completion_quote(stream, row->help, SPECIAL, QUOTE);
	fputc(']', stream);
	if (has_argument) {
		fputs(row->flags & VMSI_OPTION_MAY_BE_BARE ? "::" : ":", stream);
		vmsi_completion_quote(stream, row->argument, SPECIAL, QUOTE);
		fputc(':', stream);
		write_action(stream, row->completion, row->words);
	}
	fputs("' \\\n", stream);
}

/*
 * A letter and the name of an option exclude each other. Behind a letter no argument
 * stands that may be left out.
 */
static void write_option(FILE *stream, const struct vmsi_option *row)
{
	const bool is_bare = row->flags & VMSI_OPTION_MAY_BE_BARE;
	const bool has_letter = row->value < 128;

	if (has_letter) {
		fprintf(stream, "\t\t'(-%c --%s)-%c%s", row->value, row->name,
			row->value, row->argument && !is_bare ? "+" : "");
		write_rest(stream, row, row->argument && !is_bare);
	}
	fputs("\t\t'", stream);
	if (has_letter)
		fprintf(stream, "(-%c --%s)", row->value, row->name);
	fprintf(stream, "--%s%s", row->name,
		!row->argument ? "" : is_bare ? "=-" : "=");
	write_rest(stream, row, row->argument);
}

static void write_operand(FILE *stream, const char *which,
			  const struct vmsi_command *command)
{
	fprintf(stream, "\t\t'%s:argument:", which);
	write_action(stream, command->completion, command->words);
	fputc('\'', stream);
}

static void write_operands(FILE *stream, const struct vmsi_command *command)
{
	switch (command->program_at) {
	case VMSI_PROGRAM_SECOND:
		write_operand(stream, "1", command);
		fputs(" \\\n\t\t'2:program:_command_names -e'", stream);
		break;
	case VMSI_PROGRAM_FIRST:
		fputs("\t\t'*:::program:_normal'", stream);
		break;
	case VMSI_PROGRAM_NOWHERE:
	case VMSI_PROGRAM_BEHIND_DASHES:
		if (command->completion != VMSI_COMPLETE_NOTHING)
			write_operand(stream, "*", command);
		break;
	}
	fputs("\n}\n\n", stream);
}

static const char behind_dashes[] =
	"\tlocal -i at=${words[(i)--]}\n"
	"\n"
	"\tif (( at < CURRENT )); then\n"
	"\t\tshift $at words\n"
	"\t\t(( CURRENT -= at ))\n"
	"\t\t_normal\n"
	"\t\treturn\n"
	"\tfi\n";

/*
 * _arguments(1) knows of no operand behind which options end that is not the first. So
 * the script itself looks for the second, behind which all belongs to the program.
 */
static void write_behind_second(FILE *stream, const struct vmsi_command *command)
{
	bool is_first = true;

	fputs("\tlocal -i at=2 operands=0\n"
	      "\n"
	      "\twhile (( at < CURRENT )); do\n"
	      "\t\tcase $words[at] in\n"
	      "\t\t", stream);
	for (const struct vmsi_option *row = command->options; row->name; row++) {
		if (!row->argument || row->flags & VMSI_OPTION_MAY_BE_BARE)
			continue;
		fprintf(stream, "%s--%s", is_first ? "" : "|", row->name);
		is_first = false;
	}
	fputs(") (( at += 1 )) ;;\n"
	      "\t\t-*) ;;\n"
	      "\t\t*) (( operands += 1 )) ;;\n"
	      "\t\tesac\n"
	      "\t\tif (( operands == 2 )); then\n"
	      "\t\t\tshift $(( at - 1 )) words\n"
	      "\t\t\t(( CURRENT -= at - 1 ))\n"
	      "\t\t\t_normal\n"
	      "\t\t\treturn\n"
	      "\t\tfi\n"
	      "\t\t(( at += 1 ))\n"
	      "\tdone\n", stream);
}

static void write_command(FILE *stream, const struct vmsi_command *command)
{
	fprintf(stream, "_vmspace_%s()\n{\n", command->name);
	if (command->program_at == VMSI_PROGRAM_BEHIND_DASHES)
		fputs(behind_dashes, stream);
	if (command->program_at == VMSI_PROGRAM_SECOND)
		write_behind_second(stream, command);
	fputs("\t_arguments -s -S", stream);
	if (command->program_at == VMSI_PROGRAM_FIRST)
		fputs(" -A '-*'", stream);
	fputs(" \\\n", stream);
	for (const struct vmsi_option *row = command->options; row->name; row++)
		write_option(stream, row);
	write_operands(stream, command);
}

static void write_commands(FILE *stream, const struct vmsi_commands *all)
{
	fputs("_vmspace_commands()\n{\n\tlocal -a commands=(\n", stream);
	for (size_t i = 0; all->list[i]; i++) {
		fprintf(stream, "\t\t'%s:", all->list[i]->name);
		vmsi_completion_quote(stream, all->list[i]->summary, "\\:",
				      QUOTE);
		fputs("'\n", stream);
	}
	fputs("\t)\n\n\t_describe -t commands command commands\n}\n\n", stream);
}

static const char signals_function[] =
	"_vmspace_signals()\n"
	"{\n"
	"\tlocal expl\n"
	"\n"
	"\t_wanted signals expl signal compadd -- ${signals[2,-3]}\n"
	"}\n"
	"\n";

static const char before_options[] =
	"_vmspace()\n"
	"{\n"
	"\tlocal curcontext=$curcontext state ret=1\n"
	"\n"
	"\t_arguments -C -S -A '-*' \\\n";

/*
 * The file is a function where zsh loads it by its name, and a script where somebody
 * reads it.
 */
static const char end[] =
	"\t\t'1:command:->command' \\\n"
	"\t\t'*::argument:->argument' && ret=0\n"
	"\tcase $state in\n"
	"\tcommand)\n"
	"\t\t_vmspace_commands && ret=0 ;;\n"
	"\targument)\n"
	"\t\tcurcontext=${curcontext%:*:*}:vmspace-$words[1]:\n"
	"\t\t(( $+functions[_vmspace_$words[1]] )) && _vmspace_$words[1] && ret=0 ;;\n"
	"\tesac\n"
	"\treturn ret\n"
	"}\n"
	"\n"
	"if [[ $funcstack[1] == _vmspace ]]; then\n"
	"\t_vmspace \"$@\"\n"
	"else\n"
	"\tcompdef _vmspace vmspace\n"
	"fi\n";

void vmsi_completion_write_zsh(FILE *stream, const struct vmsi_commands *all)
{
	write_begin(stream);
	fputs(signals_function, stream);
	write_commands(stream, all);
	for (size_t i = 0; all->list[i]; i++)
		write_command(stream, all->list[i]);
	fputs(before_options, stream);
	for (const struct vmsi_option *row = all->options; row->name; row++)
		write_option(stream, row);
	fputs(end, stream);
}
