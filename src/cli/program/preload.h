/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_PROGRAM_PRELOAD_H
#define VMSI_CLI_PROGRAM_PRELOAD_H

#include "cli/program/program.h"

/*
 * Preload libraries. The functions return VMSI_EXIT_OK, or the exit status of the
 * command after an error message.
 */

struct vmsi_preload_reason {
	char text[PATH_MAX + 64]; /* "it is linked statically" */
	bool is_sanitizer;        /* it is built with one, which is the reason */
};

/* Whether a preload library works in a program, or why it does not. */
bool vmsi_preload_works(const struct vmsi_program *program,
			const struct vmsi_elf *library,
			struct vmsi_preload_reason *why_not);

/* Check that a preload library works in a program. */
enum vmsi_exit vmsi_preload_check(const struct vmsi_program *program,
				  const struct vmsi_elf *library);

/* Find a preload library by its file name, and read it. */
enum vmsi_exit vmsi_preload_find(const char *name, char path[PATH_MAX],
				 struct vmsi_elf *library);

/*
 * Put a library in front of LD_PRELOAD, and check that the program's loader loads
 * it.
 */
enum vmsi_exit vmsi_preload_put(const struct vmsi_program *program,
				const char *library);

#endif
