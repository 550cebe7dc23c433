/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_PROGRAM_H
#define VMSI_CLI_PROGRAM_H

#include <limits.h>
#include <stdbool.h>

#include "cli/command.h"
#include "cli/program/elf_file.h"

/*
 * Finding the program that a command runs. The functions return VMSI_EXIT_OK, or
 * the exit status of the command after an error message.
 */

struct vmsi_program {
	const char *name;      /* as the user gave it */
	char path[PATH_MAX];   /* the file for execve(2) */
	char binary[PATH_MAX]; /* the same, or the interpreter of that script */
	struct vmsi_elf elf;   /* of binary */
};

/*
 * Look a name up as execvp(3) does, follow #! lines to a binary, and read that.
 */
enum vmsi_exit vmsi_program_find(const char *name, struct vmsi_program *program);

/* The same without a message. Returns 0 or -errno. */
int vmsi_program_try(const char *name, struct vmsi_program *program);

/* Look a name up as execvp(3) does, and set name and path alone. */
enum vmsi_exit vmsi_program_look_up(const char *name,
				    struct vmsi_program *program);

/* Say why execve(2) of a path has failed; error is its errno. */
enum vmsi_exit vmsi_program_explain_start(const char *name, const char *path,
					  int error);

/* Whether a name stands for the same file as this process executes. */
bool vmsi_program_is_this(const char *name);

#endif
