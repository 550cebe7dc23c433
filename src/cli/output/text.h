/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_TEXT_H
#define VMSI_CLI_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
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
 * Whether nobody sees the character, but it hides or turns around what stands beside
 * it: letters without a width, and controls of the direction of writing.
 */
bool vmsi_is_invisible(uint32_t character);

/*
 * Write text with each byte of control characters, of invisible ones (such as those
 * that turn the direction of writing) and of what is not UTF-8 as \ooo (octal), and
 * each backslash as \\.
 */
void vmsi_write_escaped(FILE *stream, const char *text);

/* Whether vmsi_write_escaped writes text in another way than as it is. */
bool vmsi_needs_escape(const char *text);

/*
 * Write the first lines of a backtrace, as vmsi_write_escaped does. Each line is
 * a frame; the last may be cut off.
 */
void vmsi_write_backtrace(FILE *stream, const char *backtrace, size_t most);

#endif
