/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_PROGRAM_H
#define VMSI_CLI_PROGRAM_H

#include <limits.h>
#include <stdbool.h>

#include "cli/command.h"
#include "cli/program/elf_file.h"

/*
 * A program that is to be run: where it is, and what kind of file. The calls return
 * VMSI_EXIT_OK, or have said on standard error what is wrong and return the exit
 * status.
 */

/* A program to be run. */
struct vmsi_program {
	const char *name;      /* as the user has it */
	char path[PATH_MAX];   /* what is executed */
	char binary[PATH_MAX]; /* what is loaded: the same, or its interpreter */
	struct vmsi_elf elf;   /* of binary */
};

/* Look a name up as execvp(3) does, and follow #! lines to a binary. */
enum vmsi_exit vmsi_program_find(const char *name, struct vmsi_program *program);

/* Only find its path: whether it can be run is execve(2)'s to say. */
enum vmsi_exit vmsi_program_look_up(const char *name,
				    struct vmsi_program *program);

/* Say why a program that was found could not be executed: an errno. */
enum vmsi_exit vmsi_program_explain_start(const char *name, const char *path,
					  int error);

/* Whether a name leads to this command itself. */
bool vmsi_program_is_this(const char *name);

#endif
