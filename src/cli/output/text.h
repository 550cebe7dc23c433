/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_TEXT_H
#define VMSI_CLI_TEXT_H

#include <stddef.h>
#include <stdio.h>

/*
 * Text that others chose: paths and names are any bytes but 0, and a terminal
 * obeys some of them.
 */

/*
 * The bytes of the UTF-8 character at text; 0 where there is none: a byte that
 * is not UTF-8, an overlong form, a surrogate.
 */
size_t vmsi_utf8_length(const char *text);

/*
 * Write text with control characters and what is not UTF-8 as \ooo (octal),
 * and the backslash as \\, so that it can be told apart.
 */
void vmsi_write_escaped(FILE *stream, const char *text);

/*
 * Write the first lines of a stack, a frame each, as by vmsi_write_escaped; the
 * last may lack its end.
 */
void vmsi_write_stack(FILE *stream, const char *stack, size_t most);

#endif
