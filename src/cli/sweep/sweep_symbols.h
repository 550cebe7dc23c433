/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_SWEEP_SYMBOLS_H
#define VMSI_CLI_SWEEP_SYMBOLS_H

#include "failing/failing.h"

/* The names of functions, by the files of the program and its libraries. */
struct vmsi_sweep_symbols;

/* binary is the program's file. Returns NULL without memory. */
struct vmsi_sweep_symbols *vmsi_sweep_symbols_open(const char *binary);

/*
 * A line for each frame, innermost first: "function (library) at file:line", as far
 * as that is known. It is malloc's; NULL without memory.
 */
char *vmsi_sweep_symbols_backtrace(struct vmsi_sweep_symbols *symbols,
				   const struct vmsi_failing_memory *memory,
				   const struct vmsi_failing_stack *stack);

#endif
