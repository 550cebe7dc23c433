/* SPDX-License-Identifier: MIT */
#include <stdbool.h>

#include "cli/completion/scripts.h"

/*
 * The tables are functions of the script, which set variables of the function that
 * completes: what kind of words there are, and which; whether the argument of an option
 * may be left out; and where a program begins.
 */

static const char *const kinds[] = {
	[VMSI_COMPLETE_NOTHING] = "nothing",
	[VMSI_COMPLETE_WORDS] = "words",
	[VMSI_COMPLETE_LIST] = "list",
	[VMSI_COMPLETE_FILE] = "file",
	[VMSI_COMPLETE_DIRECTORY] = "directory",
	[VMSI_COMPLETE_PROCESS] = "process",
	[VMSI_COMPLETE_USER] = "user",
	[VMSI_COMPLETE_SIGNAL] = "signal",
	[VMSI_COMPLETE_COMMAND] = "command",
};

static const char *const beginnings[] = {
	[VMSI_PROGRAM_NOWHERE] = "",
	[VMSI_PROGRAM_FIRST] = "1",
	[VMSI_PROGRAM_SECOND] = "2",
	[VMSI_PROGRAM_BEHIND_DASHES] = "dashes",
};

static const char body[] =
	"# Adds the names of processes, but for those that the shell would take apart.\n"
	"_vmspace_names()\n"
	"{\n"
	"\tlist+=\" $(LC_ALL=C grep -hx '[[:alnum:]_][[:alnum:]._+-]*' \\\n"
	"\t\t/proc/[0-9]*/comm 2>/dev/null)\"\n"
	"}\n"
	"\n"
	"# Completes the word $1, behind the part $2, by $kind and $list.\n"
	"_vmspace_reply()\n"
	"{\n"
	"\tlocal word=$1 before=$2\n"
	"\n"
	"\tcase $kind in\n"
	"\tlist)\n"
	"\t\t[[ $word != *,* ]] || before+=${word%,*},\n"
	"\t\tword=${word##*,} ;;\n"
	"\tprocess) list+=\" $(cd /proc && echo [0-9]*)\" ;;\n"
	"\tcommand) list=$(_vmspace_list) ;;\n"
	"\tesac\n"
	"\tcase $kind in\n"
	"\tfile|directory)\n"
	"\t\tcompopt -o filenames 2>/dev/null\n"
	"\t\tmapfile -t COMPREPLY < <(compgen -A \"$kind\" -- \"$word\") ;;\n"
	"\tuser) mapfile -t COMPREPLY < <(compgen -u -- \"$word\") ;;\n"
	"\tsignal)\n"
	"\t\tmapfile -t COMPREPLY < <(compgen -A signal -- \"SIG${word#SIG}\")\n"
	"\t\t[[ $word == SIG* ]] || COMPREPLY=(\"${COMPREPLY[@]#SIG}\") ;;\n"
	"\twords|list|process|command)\n"
	"\t\tmapfile -t COMPREPLY < <(compgen -W \"$list\" -- \"$word\") ;;\n"
	"\tesac\n"
	"\t[[ ! $before ]] || COMPREPLY=(\"${COMPREPLY[@]/#/$before}\")\n"
	"\t[[ $kind != list ]] || compopt -o nospace 2>/dev/null\n"
	"\treturn 0\n"
	"}\n"
	"\n"
	"# Completes a program that begins at the word $1 of COMP_WORDS, and its arguments.\n"
	"_vmspace_program()\n"
	"{\n"
	"\tlocal cur=${COMP_WORDS[COMP_CWORD]} offset\n"
	"\n"
	"\tfor offset in _comp_command_offset _command_offset; do\n"
	"\t\tif declare -F \"$offset\" >/dev/null; then\n"
	"\t\t\t\"$offset\" \"$1\"\n"
	"\t\t\treturn\n"
	"\t\tfi\n"
	"\tdone\n"
	"\tcompopt -o filenames 2>/dev/null\n"
	"\tif (($1 == COMP_CWORD)); then\n"
	"\t\tmapfile -t COMPREPLY < <(compgen -c -- \"$cur\")\n"
	"\telse\n"
	"\t\tmapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
	"\tfi\n"
	"}\n"
	"\n"
	"_vmspace()\n"
	"{\n"
	"\tlocal words=() at=() word cur command='' wants='' dashes='' operands=0\n"
	"\tlocal kind='' list='' bare='' program='' begins='' i\n"
	"\n"
	"\tCOMPREPLY=()\n"
	"\t# Bash makes three words of --option=value where '=' ends words.\n"
	"\tfor ((i = 0; i <= COMP_CWORD; i++)); do\n"
	"\t\tword=${COMP_WORDS[i]}\n"
	"\t\tif ((i > 1)) && [[ ! $dashes && ${words[-1]} == --* &&\n"
	"\t\t\t\t( $word == = || ${COMP_WORDS[i - 1]} == = ) ]]; then\n"
	"\t\t\twords[-1]+=$word\n"
	"\t\telse\n"
	"\t\t\twords+=(\"$word\") at+=(\"$i\")\n"
	"\t\t\t[[ $word != -- ]] || dashes=1\n"
	"\t\tfi\n"
	"\tdone\n"
	"\tcur=${words[-1]} dashes=''\n"
	"\tfor ((i = 1; i < ${#words[@]} - 1; i++)); do\n"
	"\t\tword=${words[i]}\n"
	"\t\tif [[ ! $command ]]; then\n"
	"\t\t\t[[ $word != -* ]] || continue\n"
	"\t\t\tcommand=$word\n"
	"\t\t\t_vmspace_operands \"$command\"\n"
	"\t\t\tbegins=$program\n"
	"\t\telif [[ $wants ]]; then\n"
	"\t\t\twants=''\n"
	"\t\telif [[ ! $dashes && $word == -- ]]; then\n"
	"\t\t\tdashes=1\n"
	"\t\t\t[[ $begins != dashes ]] || begins=$((operands + 1))\n"
	"\t\telif [[ ! $dashes && $word == -?* ]]; then\n"
	"\t\t\t[[ $word == --* ]] || word=-${word: -1}\n"
	"\t\t\tif _vmspace_takes \"$command\" \"$word\" && [[ ! $bare ]]; then\n"
	"\t\t\t\twants=$word\n"
	"\t\t\tfi\n"
	"\t\telse\n"
	"\t\t\t((operands += 1))\n"
	"\t\t\tif [[ $operands == \"$begins\" ]]; then\n"
	"\t\t\t\t_vmspace_program \"${at[i]}\"\n"
	"\t\t\t\treturn\n"
	"\t\t\tfi\n"
	"\t\tfi\n"
	"\tdone\n"
	"\tif [[ $wants ]]; then\n"
	"\t\t_vmspace_takes \"$command\" \"$wants\"\n"
	"\t\t_vmspace_reply \"$cur\" ''\n"
	"\telif [[ ! $dashes && $cur == --*=* ]]; then\n"
	"\t\t_vmspace_takes \"$command\" \"${cur%%=*}\" || return\n"
	"\t\tword=${cur%%=*}=\n"
	"\t\t[[ $COMP_WORDBREAKS != *=* ]] || word=''\n"
	"\t\t_vmspace_reply \"${cur#*=}\" \"$word\"\n"
	"\telif [[ ! $dashes && $cur == -* ]]; then\n"
	"\t\tmapfile -t COMPREPLY < <(compgen -W \"$(_vmspace_options \"$command\")\" -- \"$cur\")\n"
	"\t\tif [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *= ]]; then\n"
	"\t\t\tcompopt -o nospace 2>/dev/null\n"
	"\t\tfi\n"
	"\telif [[ ! $command ]]; then\n"
	"\t\tkind='command'\n"
	"\t\t_vmspace_reply \"$cur\" ''\n"
	"\telif [[ $begins == $((operands + 1)) ]]; then\n"
	"\t\t_vmspace_program \"${at[-1]}\"\n"
	"\telse\n"
	"\t\t_vmspace_operands \"$command\"\n"
	"\t\t[[ $kind != process ]] || _vmspace_names\n"
	"\t\t_vmspace_reply \"$cur\" ''\n"
	"\tfi\n"
	"}\n"
	"\n"
	"complete -F _vmspace vmspace\n";

static void write_commands(FILE *stream, const struct vmsi_commands *all)
{
	fputs("# The commands.\n_vmspace_list()\n{\n\techo '", stream);
	for (size_t i = 0; all->list[i]; i++)
		fprintf(stream, "%s%s", i ? " " : "", all->list[i]->name);
	fputs("'\n}\n\n", stream);
}

static void write_options_of(FILE *stream, const char *command,
			     const struct vmsi_option *options)
{
	fprintf(stream, "\t'%s') echo '", command);
	for (const struct vmsi_option *row = options; row->name; row++) {
		const bool needs_argument = row->argument &&
			!(row->flags & VMSI_OPTION_MAY_BE_BARE);

		if (row->value < 128)
			fprintf(stream, "-%c ", row->value);
		fprintf(stream, "--%s%s%s", row->name, needs_argument ? "=" : "",
			row[1].name ? " " : "");
	}
	fputs("' ;;\n", stream);
}

static void write_options(FILE *stream, const struct vmsi_commands *all)
{
	fputs("# The options of the command $1, or before any.\n"
	      "_vmspace_options()\n{\n\tcase $1 in\n", stream);
	write_options_of(stream, "", all->options);
	for (size_t i = 0; all->list[i]; i++)
		write_options_of(stream, all->list[i]->name,
				 all->list[i]->options);
	fputs("\tesac\n}\n\n", stream);
}

static void write_kind(FILE *stream, enum vmsi_completion completion,
		       const char *words)
{
	fprintf(stream, "kind='%s'", kinds[completion]);
	if (words)
		fprintf(stream, " list='%s'", words);
}

static void write_argument(FILE *stream, const char *command,
			   const struct vmsi_option *row)
{
	if (!row->argument)
		return;
	fprintf(stream, "\t%s,--%s", command, row->name);
	if (row->value < 128 && !(row->flags & VMSI_OPTION_MAY_BE_BARE))
		fprintf(stream, "|%s,-%c", command, row->value);
	fputs(") ", stream);
	write_kind(stream, row->completion, row->words);
	if (row->flags & VMSI_OPTION_MAY_BE_BARE)
		fputs(" bare=1", stream);
	fputs(" ;;\n", stream);
}

static void write_arguments(FILE *stream, const struct vmsi_commands *all)
{
	fputs("# What the option $2 of the command $1 takes; fails where it is nothing.\n"
	      "_vmspace_takes()\n{\n\tlist='' bare=''\n\tcase $1,$2 in\n", stream);
	for (size_t i = 0; all->list[i]; i++) {
		const struct vmsi_option *row = all->list[i]->options;

		for (; row->name; row++)
			write_argument(stream, all->list[i]->name, row);
	}
	fputs("\t*) return 1 ;;\n\tesac\n}\n\n", stream);
}

static void write_operands(FILE *stream, const struct vmsi_commands *all)
{
	fputs("# What the operands of the command $1 are.\n"
	      "_vmspace_operands()\n{\n\tkind='' list='' program=''\n\tcase $1 in\n",
	      stream);
	for (size_t i = 0; all->list[i]; i++) {
		const struct vmsi_command *command = all->list[i];

		fprintf(stream, "\t%s) ", command->name);
		write_kind(stream, command->completion, command->words);
		fprintf(stream, " program='%s' ;;\n",
			beginnings[command->program_at]);
	}
	fputs("\tesac\n}\n\n", stream);
}

void vmsi_completion_write_bash(FILE *stream, const struct vmsi_commands *all)
{
	fputs("# Completes the arguments of vmspace in bash, with the package\n"
	      "# bash-completion or without. 'vmspace completion bash' writes it.\n\n",
	      stream);
	write_commands(stream, all);
	write_options(stream, all);
	write_arguments(stream, all);
	write_operands(stream, all);
	fputs(body, stream);
}
