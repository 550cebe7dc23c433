/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_COMMAND_H
#define VMSI_CLI_COMMAND_H

#include <stddef.h>
#include <stdio.h>

#include "cli/option.h"

/* The exit status. */
enum vmsi_exit {
	VMSI_EXIT_OK = 0,
	VMSI_EXIT_FAILED = 1, /* the operation failed */
	VMSI_EXIT_USAGE = 2,  /* the arguments make no sense */
	/* Commands that run a program end with these, as env(1) does. */
	VMSI_EXIT_RUN_FAILED = 125,
	VMSI_EXIT_CANNOT_RUN = 126,
	VMSI_EXIT_NOT_FOUND = 127,
};

/* Where the program begins that a command runs. Options end there. */
enum vmsi_program_at {
	VMSI_PROGRAM_NOWHERE,
	VMSI_PROGRAM_FIRST,         /* it is the first operand */
	VMSI_PROGRAM_SECOND,        /* one operand comes before it */
	VMSI_PROGRAM_BEHIND_DASHES, /* behind "--" alone */
};

/* One command of the program, in a folder of its own. */
struct vmsi_command {
	const char *name;
	const char *program; /* "vmspace NAME", for messages */
	const char *summary; /* one line */
	const char *help;    /* how it is called, and what it does */
	const struct vmsi_option *options;
	const char *notes;   /* what the help says below the options; or NULL */
	enum vmsi_program_at program_at;
	/* What completes operands that are no program. */
	enum vmsi_completion completion;
	const char *words;
	/* As main; argv[0] is program. */
	enum vmsi_exit (*run)(int argc, char **argv);
};

/* --- options.c ------------------------------------------------------------ */

/*
 * The next option of the arguments, as of getopt_long(3): the value of its row, with
 * optarg and optind; -1 behind the last, and '?' after an error was written. Where the
 * command runs a program that is an operand, options end at the first operand.
 */
int vmsi_next_option(const struct vmsi_command *command, int argc, char **argv);

/* --- help.c --------------------------------------------------------------- */

/*
 * Write the help of a command to standard output.
 *
 * which  the argument of --help: "all", or NULL for what is not rare.
 */
enum vmsi_exit vmsi_show_help(const struct vmsi_command *command,
			      const char *which);

enum vmsi_help_extent {
	VMSI_HELP_SHORT, /* without rare options: a screen of 80 by 24 */
	VMSI_HELP_WHOLE,
};

void vmsi_write_help(FILE *stream, const struct vmsi_command *command,
		     enum vmsi_help_extent extent);

/* --- commands.c ----------------------------------------------------------- */

/* All commands, and the options that stand before a command. */
struct vmsi_commands {
	const struct vmsi_command *const *list; /* the last is NULL */
	const struct vmsi_option *options;
};

/* Set what vmsi_all_commands returns: main knows the commands, and they it. */
void vmsi_set_commands(const struct vmsi_commands *commands);
const struct vmsi_commands *vmsi_all_commands(void);

/* The option of that name; NULL: the command has none. */
const struct vmsi_option *vmsi_find_option(const struct vmsi_option *options,
					   const char *name, size_t length);

/* --- messages ------------------------------------------------------------- */

/*
 * Write an error in the arguments, and how to get help, to standard error.
 * program is as in struct vmsi_command.
 */
__attribute__((format(printf, 2, 3)))
enum vmsi_exit vmsi_usage_error(const char *program, const char *format, ...);

/* Write only how to get help, after getopt_long has written the error. */
enum vmsi_exit vmsi_usage_hint(const char *program);

/*
 * The same, and where getopt_long did not know the option in argument, name the
 * commands that have it.
 */
enum vmsi_exit vmsi_option_hint(const char *program, const char *argument);

/*
 * Write an error about a program or file to standard error: "COMMAND: NAME: ...".
 */
__attribute__((format(printf, 2, 3)))
void vmsi_complain(const char *name, const char *format, ...);

/* Set the COMMAND of later calls of vmsi_complain; it is "vmspace" before. */
void vmsi_complain_as(const char *program);

/*
 * Flush standard output. Call this right after the last write, or when one has
 * failed: errno is still that of the write. Nothing is said of EPIPE, since the
 * reader has gone away.
 */
enum vmsi_exit vmsi_finish_output(const char *program);

/* Ignore SIGPIPE: a write to a pipe without a reader fails with EPIPE. */
void vmsi_ignore_pipe_signal(void);

/* Undo that before a program is executed, which inherits ignored signals. */
void vmsi_restore_signals(void);

#endif
