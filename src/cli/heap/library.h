/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_HEAP_LIBRARY_H
#define VMSI_CLI_HEAP_LIBRARY_H

#include "cli/program/program.h"

/*
 * The preload library. The calls return VMSI_EXIT_OK, or have said on standard
 * error what is wrong and return the exit status.
 */

/* Whether a preload library has an effect in a program. */
enum vmsi_exit vmsi_preload_check(const struct vmsi_program *program,
				  const struct vmsi_elf *library);

/* The path of a preload library by its file name. */
enum vmsi_exit vmsi_preload_find(const char *name, char path[PATH_MAX],
				 struct vmsi_elf *library);

/*
 * Put a library into LD_PRELOAD, before what is there, and ask the program's
 * loader whether it takes it.
 */
enum vmsi_exit vmsi_preload_put(const struct vmsi_program *program,
				const char *library);

#endif
