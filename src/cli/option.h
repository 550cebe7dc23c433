/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_OPTION_H
#define VMSI_CLI_OPTION_H

/*
 * The options of a command, as one table: vmsi_next_option reads arguments by it, the
 * help lists it, and the completion of shells is made of it.
 */

/* What completes an argument of an option, or an operand. */
enum vmsi_completion {
	VMSI_COMPLETE_NOTHING,   /* a number, or a text of the user's own */
	VMSI_COMPLETE_WORDS,     /* one of some words */
	VMSI_COMPLETE_LIST,      /* some of these words, with commas between them */
	VMSI_COMPLETE_FILE,
	VMSI_COMPLETE_DIRECTORY,
	VMSI_COMPLETE_PROCESS,   /* the number of a process */
	VMSI_COMPLETE_USER,
	VMSI_COMPLETE_SIGNAL,    /* without SIG */
	VMSI_COMPLETE_COMMAND,   /* of vmspace */
};

enum {
	VMSI_OPTION_IS_RARE = 1, /* only --help=all lists it */
	/* Its argument may be left out, and stands only behind '='. */
	VMSI_OPTION_MAY_BE_BARE = 2,
};

struct vmsi_option {
	const char *name; /* without its dashes; NULL ends a table */
	/* What vmsi_next_option returns. A letter is its short form, too. */
	int value;
	unsigned flags;
	const char *argument; /* as the help calls it; NULL: it takes none */
	enum vmsi_completion completion; /* of the argument */
	const char *words;    /* of the completion, with spaces between them */
	const char *help;     /* one line */
	const char *more;     /* further lines, for the help; or NULL */
};

/* Most options that a table may have. */
#define VMSI_OPTIONS_MOST 48

/* A row that each table has. */
#define VMSI_OPTION_HELP \
	{ .name = "help", .value = 'h', .flags = VMSI_OPTION_MAY_BE_BARE, \
	  .argument = "all", .completion = VMSI_COMPLETE_WORDS, .words = "all", \
	  .help = "this text" }

/* A row of the tables of commands that tell sizes. */
#define VMSI_OPTION_TELL_BYTES(number) \
	{ .name = "bytes", .value = (number), .help = "exact sizes, in bytes" }

#endif
