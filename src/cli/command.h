/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_COMMAND_H
#define VMSI_CLI_COMMAND_H

#include <stdio.h>

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

/* One command of the program, in a folder of its own. */
struct vmsi_command {
	const char *name;
	const char *program; /* "vmspace NAME", for messages */
	const char *summary; /* one line */
	const char *help;    /* all about its arguments */
	/* As main; argv[0] is program. */
	enum vmsi_exit (*run)(int argc, char **argv);
};

/* Write the help of a command to standard output. */
enum vmsi_exit vmsi_show_help(const struct vmsi_command *command);

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
 * command that has it.
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
