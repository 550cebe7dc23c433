/* SPDX-License-Identifier: MIT */
#include <stdbool.h>

#include "cli/completion/scripts.h"

#define SPECIAL "\\"
#define QUOTE "\\'"

static const char *const beginnings[] = {
	[VMSI_PROGRAM_NOWHERE] = "none",
	[VMSI_PROGRAM_FIRST] = "1",
	[VMSI_PROGRAM_SECOND] = "2",
	[VMSI_PROGRAM_BEHIND_DASHES] = "dashes",
};

static const char body[] =
	"# Whether the words before the cursor have the command $wanted, and what is asked for may\n"
	"# come next: options, an operand, or the program that it runs, or an argument of that.\n"
	"# __vmspace_begins becomes the number of the program's word on the line.\n"
	"function __vmspace_is --argument-names wanted part\n"
	"\tset -l command ''\n"
	"\tset -l begins none\n"
	"\tset -l wants 0\n"
	"\tset -l dashes 0\n"
	"\tset -l operands 0\n"
	"\tset -l number 1\n"
	"\tfor word in (commandline -opc)[2..-1]\n"
	"\t\tset number (math $number + 1)\n"
	"\t\tif test \"$command\" = ''\n"
	"\t\t\tstring match -q -- '-*' $word; and continue\n"
	"\t\t\ttest \"$word\" = \"$wanted\"; or return 1\n"
	"\t\t\tset command $word\n"
	"\t\t\tset begins (__vmspace_begins $command)\n"
	"\t\telse if test $wants = 1\n"
	"\t\t\tset wants 0\n"
	"\t\telse if test $dashes = 0; and test \"$word\" = --\n"
	"\t\t\tset dashes 1\n"
	"\t\t\ttest $begins = dashes; and set begins (math $operands + 1)\n"
	"\t\telse if test $dashes = 0; and string match -qr -- '^-.' $word\n"
	"\t\t\t__vmspace_wants $command $word; and set wants 1\n"
	"\t\telse\n"
	"\t\t\tset operands (math $operands + 1)\n"
	"\t\t\tif test $operands = $begins\n"
	"\t\t\t\tset -g __vmspace_begins $number\n"
	"\t\t\t\ttest $part = program\n"
	"\t\t\t\treturn\n"
	"\t\t\tend\n"
	"\t\tend\n"
	"\tend\n"
	"\ttest \"$command\" != ''; or return 1\n"
	"\ttest $wants = 0; or test $part = options; or return 1\n"
	"\tset -g __vmspace_begins (math $number + 1)\n"
	"\tswitch $part\n"
	"\tcase options\n"
	"\t\ttest $dashes = 0\n"
	"\tcase operand\n"
	"\t\ttest (math $operands + 1) != $begins\n"
	"\tcase program\n"
	"\t\ttest (math $operands + 1) = $begins\n"
	"\tend\n"
	"end\n"
	"\n"
	"function __vmspace_program\n"
	"\tset -l words (commandline -opc)\n"
	"\tset -l line (string escape -- $words[$__vmspace_begins..-1]) (commandline -ct)\n"
	"\tstring match -q -- '-*' $line[1]; and return\n"
	"\tcomplete --do-complete=(string join ' ' -- $line)\n"
	"end\n"
	"\n"
	"function __vmspace_list\n"
	"\tset -l word (string replace -r -- '^--[^=]*=' '' (commandline -ct))\n"
	"\tprintf '%s\\n' (string replace -r -- '[^,]*$' '' \"$word\")$argv\n"
	"end\n"
	"\n"
	"complete -c vmspace -f\n";

static void write_beginnings(FILE *stream, const struct vmsi_commands *all)
{
	fputs("# Which operand of a command is a program.\n"
	      "function __vmspace_begins\n\tswitch $argv[1]\n", stream);
	for (size_t i = 0; all->list[i]; i++)
		fprintf(stream, "\tcase %s\n\t\techo %s\n", all->list[i]->name,
			beginnings[all->list[i]->program_at]);
	fputs("\tend\nend\n\n", stream);
}

static void write_wants_of(FILE *stream, const struct vmsi_command *command)
{
	for (const struct vmsi_option *row = command->options; row->name; row++) {
		if (!row->argument || row->flags & VMSI_OPTION_MAY_BE_BARE)
			continue;
		fprintf(stream, " %s,--%s", command->name, row->name);
		if (row->value < 128)
			fprintf(stream, " %s,-%c", command->name, row->value);
	}
}

static void write_wants(FILE *stream, const struct vmsi_commands *all)
{
	fputs("# Whether the argument of an option is the next word.\n"
	      "function __vmspace_wants\n\tcontains -- $argv[1],$argv[2]", stream);
	for (size_t i = 0; all->list[i]; i++)
		write_wants_of(stream, all->list[i]);
	fputs("\nend\n\n", stream);
}

/* What completes: fish adds files itself unless it is told -f, or -x, which has it. */
static void write_completion(FILE *stream, enum vmsi_completion completion,
			     const char *words)
{
	switch (completion) {
	case VMSI_COMPLETE_NOTHING:
		break;
	case VMSI_COMPLETE_WORDS:
		fprintf(stream, " -a '%s'", words);
		break;
	case VMSI_COMPLETE_LIST:
		fprintf(stream, " -a '(__vmspace_list %s)'", words);
		break;
	case VMSI_COMPLETE_FILE:
		fputs(" -F", stream);
		break;
	case VMSI_COMPLETE_DIRECTORY:
		fputs(" -a '(__fish_complete_directories (commandline -ct) \"\")'",
		      stream);
		break;
	case VMSI_COMPLETE_PROCESS:
		fputs(" -a '(__fish_complete_pids)'", stream);
		break;
	case VMSI_COMPLETE_USER:
		fputs(" -a '(__fish_complete_users)'", stream);
		break;
	case VMSI_COMPLETE_SIGNAL:
		fputs(" -a '(string split -n \" \" -- (command kill -l))'", stream);
		break;
	case VMSI_COMPLETE_COMMAND:
		fputs(" -a '(__vmspace_commands)'", stream);
		break;
	}
}

static void write_text(FILE *stream, const char *text)
{
	fputs(" -d '", stream);
	vmsi_completion_quote(stream, text, SPECIAL, QUOTE);
	fputs("'\n", stream);
}

static void write_option(FILE *stream, const char *condition,
			 const struct vmsi_option *row)
{
	const bool is_bare = row->flags & VMSI_OPTION_MAY_BE_BARE;

	fprintf(stream, "complete -c vmspace -n '%s'", condition);
	if (row->value < 128)
		fprintf(stream, " -s %c", row->value);
	fprintf(stream, " -l %s", row->name);
	if (row->argument && !is_bare)
		fputs(row->completion == VMSI_COMPLETE_FILE ? " -r" : " -x",
		      stream);
	write_completion(stream, row->completion, row->words);
	write_text(stream, row->help);
}

static void write_command(FILE *stream, const struct vmsi_command *command)
{
	char condition[64];

	snprintf(condition, sizeof condition, "__vmspace_is %s options",
		 command->name);
	for (const struct vmsi_option *row = command->options; row->name; row++)
		write_option(stream, condition, row);
	if (command->completion != VMSI_COMPLETE_NOTHING) {
		fprintf(stream, "complete -c vmspace -n '__vmspace_is %s operand'",
			command->name);
		write_completion(stream, command->completion, command->words);
		fputc('\n', stream);
	}
	if (command->program_at != VMSI_PROGRAM_NOWHERE)
		fprintf(stream, "complete -c vmspace -n '__vmspace_is %s program' "
			"-a '(__vmspace_program)'\n", command->name);
}

/* For 'vmspace help', and for the command itself. */
static void write_commands(FILE *stream, const struct vmsi_commands *all)
{
	fputs("function __vmspace_commands\n", stream);
	for (size_t i = 0; all->list[i]; i++) {
		fprintf(stream, "\tprintf '%%s\\t%%s\\n' %s '",
			all->list[i]->name);
		vmsi_completion_quote(stream, all->list[i]->summary, SPECIAL,
				      QUOTE);
		fputs("'\n", stream);
	}
	fputs("end\n\n", stream);
}

void vmsi_completion_write_fish(FILE *stream, const struct vmsi_commands *all)
{
	fputs("# Completes the arguments of vmspace in fish. 'vmspace completion fish'"
	      " writes it.\n\n", stream);
	write_beginnings(stream, all);
	write_wants(stream, all);
	write_commands(stream, all);
	fputs(body, stream);
	fputs("complete -c vmspace -n __fish_use_subcommand -a '(__vmspace_commands)'\n",
	      stream);
	for (const struct vmsi_option *row = all->options; row->name; row++)
		write_option(stream, "__fish_use_subcommand", row);
	for (size_t i = 0; all->list[i]; i++)
		write_command(stream, all->list[i]);
}
