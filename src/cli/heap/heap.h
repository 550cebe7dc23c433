/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_HEAP_HEAP_H
#define VMSI_CLI_HEAP_HEAP_H

#include "cli/command.h"

extern const struct vmsi_command vmsi_command_heap;

/*
 * Where *arguments begins with this command, "heap" and its options, prepare the
 * environment as 'vmspace heap' does, and set *arguments to the program behind
 * them; to NULL where only help was asked for. A supervisor so runs the program
 * directly, and neither limits nor counts what 'vmspace heap' itself does.
 */
enum vmsi_exit vmsi_heap_unwrap(char ***arguments);

#endif
