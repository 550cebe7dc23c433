/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_TEXT_H
#define VMSI_CLI_TEXT_H

#include <stddef.h>
#include <stdio.h>

/*
 * Paths and names that others have chosen: they may have any bytes but 0, and
 * some of those would control the terminal.
 */

/*
 * The bytes of the UTF-8 character at text; 0 where there is none: a byte that
 * is not UTF-8, an overlong form, a surrogate.
 */
size_t vmsi_utf8_length(const char *text);

/*
 * Write text with each byte of control characters and of what is not UTF-8 as
 * \ooo (octal), and each backslash as \\.
 */
void vmsi_write_escaped(FILE *stream, const char *text);

/*
 * Write the first lines of a backtrace, as vmsi_write_escaped does. Each line is
 * a frame; the last may be cut off.
 */
void vmsi_write_backtrace(FILE *stream, const char *backtrace, size_t most);

#endif
