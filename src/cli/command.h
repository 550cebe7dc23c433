/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_COMMAND_H
#define VMSI_CLI_COMMAND_H

#include <stdio.h>

/* How the command ends. */
enum vmsi_exit {
	VMSI_EXIT_OK = 0,
	VMSI_EXIT_FAILED = 1, /* the operation failed */
	VMSI_EXIT_USAGE = 2,  /* the arguments make no sense */
	/* Of a command that runs a program, as of env(1) and nice(1). */
	VMSI_EXIT_RUN_FAILED = 125,
	VMSI_EXIT_CANNOT_RUN = 126,
	VMSI_EXIT_NOT_FOUND = 127,
};

/* One command of the program, in a folder of its own. */
struct vmsi_command {
	const char *name;
	const char *program; /* "vmspace NAME", for messages */
	const char *summary; /* one line */
	const char *help;    /* all about its arguments */
	/* As main; argv[0] is program. */
	enum vmsi_exit (*run)(int argc, char **argv);
};

/* The help of one command, on standard output. */
enum vmsi_exit vmsi_show_help(const struct vmsi_command *command);

/*
 * Say on standard error that the arguments make no sense, and where the help
 * is. program is as in struct vmsi_command.
 */
__attribute__((format(printf, 2, 3)))
enum vmsi_exit vmsi_usage_error(const char *program, const char *format, ...);

/* The same after getopt_long has said what is wrong. */
enum vmsi_exit vmsi_usage_hint(const char *program);

/*
 * Likewise, where it did not know an argument: tell which command has that option,
 * if one does.
 */
enum vmsi_exit vmsi_option_hint(const char *program, const char *argument);

/* Say what is wrong with a program or a file: "vmspace limit: NAME: ...". */
__attribute__((format(printf, 2, 3)))
void vmsi_complain(const char *name, const char *format, ...);

/* Name the command that vmsi_complain speaks for from now on. */
void vmsi_complain_as(const char *program);

/*
 * End the output: call right after the last write to standard output, and as
 * soon as one has failed. A reader that has gone away wants no message.
 */
enum vmsi_exit vmsi_finish_output(const char *program);

/* Writing to a pipe that nobody reads becomes an error and no longer kills. */
void vmsi_ignore_pipe_signal(void);

/* Undo that: a program that is executed has the signals of the caller. */
void vmsi_restore_signals(void);

#endif
