/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_HEAP_HEAP_H
#define VMSI_CLI_HEAP_HEAP_H

#include "cli/command.h"

extern const struct vmsi_command vmsi_command_heap;

/*
 * Where arguments begin with this command, "heap" and its options, do what that
 * does before it executes the program, and go past them. So what only starts the
 * program is neither limited nor counted. Where it was asked for help *arguments
 * becomes NULL.
 */
enum vmsi_exit vmsi_heap_unwrap(char ***arguments);

#endif
