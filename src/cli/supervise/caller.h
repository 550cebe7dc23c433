/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_SUPERVISE_CALLER_H
#define VMSI_CLI_SUPERVISE_CALLER_H

#include <stdbool.h>

/*
 * Who has asked an allocator for memory: a backtrace without the innermost frames,
 * which are the allocator's own and differ from attempt to attempt.
 */

/*
 * Returns the first line, in a backtrace, that is not of the inside of an allocator:
 * that of malloc itself, or of another function that programs call. The backtrace
 * itself where none is found.
 */
const char *vmsi_caller_find(const char *backtrace);

/* Whether a function of an allocator is in a backtrace. */
bool vmsi_caller_has_allocator(const char *backtrace);

/*
 * Returns what two attempts of one call of an allocator have in common, malloc's: the
 * backtrace from the allocator's function on, without the line that this has come to.
 * NULL without memory.
 */
char *vmsi_caller_key(const char *backtrace);

#endif
