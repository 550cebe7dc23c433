/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_RUN_H
#define VMSI_CLI_RUN_H

#include <limits.h>

#include "cli.h"
#include "elf_file.h"

/*
 * The parts of 'vmspace run': find the program (run_program.c), find out
 * whether a preload library can work in it (run_check.c), find the library and
 * see to it that the loader takes it (run_library.c).
 *
 * Each returns VMSI_EXIT_OK, or has said on standard error what is wrong and
 * returns the exit status.
 */

/* A program to be run. */
struct vmsi_program {
	const char *name;      /* as the user has it */
	char path[PATH_MAX];   /* what is executed */
	char binary[PATH_MAX]; /* what is loaded: the same, or its interpreter */
	struct vmsi_elf elf;   /* of binary */
};

/* Say what is wrong with a program, or a file: "vmspace run: NAME: ...". */
__attribute__((format(printf, 2, 3)))
void vmsi_run_complain(const char *name, const char *format, ...);

/* Another command than "vmspace run" says it from now on. */
void vmsi_run_complain_as(const char *program);

/* Look a name up as execvp(3) does, and follow #! lines to a binary. */
enum vmsi_exit vmsi_run_find(const char *name, struct vmsi_program *program);

/* Only find its path: whether it can be run is execve(2)'s to say. */
enum vmsi_exit vmsi_run_look_up(const char *name, struct vmsi_program *program);

/* Say why a program that was found could not be executed: an errno. */
enum vmsi_exit vmsi_run_explain_start(const char *name, const char *path,
				      int error);

/* Whether a preload library has an effect in a program. */
enum vmsi_exit vmsi_run_check(const struct vmsi_program *program,
			      const struct vmsi_elf *library);

/* The path of a preload library by its file name. */
enum vmsi_exit vmsi_run_find_library(const char *name, char path[PATH_MAX],
				     struct vmsi_elf *library);

/*
 * Put a library into LD_PRELOAD, before what is there, and ask the program's
 * loader whether it takes it.
 */
enum vmsi_exit vmsi_run_preload(const struct vmsi_program *program,
				const char *library);

#endif
