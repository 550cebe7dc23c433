/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TEXT_SCAN_H
#define VMSI_TEXT_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A scan reads a text from left to right; [at, end) is what is left. A call of
 * vmsi_scan_ moves at past what it names and returns true, or returns false if
 * something else is there, and at is anywhere. Numbers beyond 64 bits are none.
 */
struct vmsi_scan {
	const char *at;
	const char *end;
};

/* Begin to scan a text that ends with a 0, which is not part of the scan. */
struct vmsi_scan vmsi_scan_text(const char *text);

static inline size_t vmsi_scan_left(const struct vmsi_scan *scan)
{
	return (size_t)(scan->end - scan->at);
}

/* Move past one character, if it is the wanted one. */
static inline bool vmsi_scan_char(struct vmsi_scan *scan, char wanted)
{
	if (scan->at == scan->end || *scan->at != wanted)
		return false;
	scan->at++;
	return true;
}

/* Move past all spaces and tabs that come next; there need not be any. */
void vmsi_scan_blanks(struct vmsi_scan *scan);

/* Read a number as procfs writes it: in lower-case hexadecimal, or in decimal. */
bool vmsi_scan_hex(struct vmsi_scan *scan, uint64_t *value);
bool vmsi_scan_decimal(struct vmsi_scan *scan, uint64_t *value);

/*
 * Move past spaces and tabs, if there are any, and read a decimal number; signed: one
 * that may have a minus sign and fits an int64_t.
 */
bool vmsi_scan_column(struct vmsi_scan *scan, uint64_t *value);
bool vmsi_scan_signed_column(struct vmsi_scan *scan, int64_t *value);

/*
 * Read a word of at least one character. It ends before the first space, tab or
 * character that equals final, or with the text.
 */
bool vmsi_scan_word(struct vmsi_scan *scan, char final,
		    struct vmsi_scan *word);

/*
 * Read a line into *line, without its newline, and move past the newline. The last
 * line of a text need not have one.
 */
bool vmsi_scan_line(struct vmsi_scan *scan, struct vmsi_scan *line);

/* Whether all that is left equals text. This does not move at. */
bool vmsi_scan_is(const struct vmsi_scan *scan, const char *text);

/* Whether what is left begins with text. This does not move at. */
bool vmsi_scan_begins(const struct vmsi_scan *scan, const char *text);

/* Whether a character is a decimal or lower-case hexadecimal digit. */
bool vmsi_is_hex_digit(char character);

/*
 * Whether word is the one in brackets in a setting of sysfs, such as
 * "always [madvise] never".
 */
bool vmsi_scan_is_chosen(struct vmsi_scan setting, const char *word);

#endif
