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

/* One given character. */
bool vmsi_scan_char(struct vmsi_scan *scan, char wanted);

/* Spaces and tabs, as many as there are, perhaps none. */
void vmsi_scan_blanks(struct vmsi_scan *scan);

/* A number as procfs writes it: lower-case hexadecimal, or decimal. */
bool vmsi_scan_hex(struct vmsi_scan *scan, uint64_t *value);
bool vmsi_scan_decimal(struct vmsi_scan *scan, uint64_t *value);

/* A decimal number, after blanks or none; signed: of an int64_t, perhaps with '-'. */
bool vmsi_scan_column(struct vmsi_scan *scan, uint64_t *value);
bool vmsi_scan_signed_column(struct vmsi_scan *scan, int64_t *value);

/* A word of at least one character: ends before a blank, final or the end. */
bool vmsi_scan_word(struct vmsi_scan *scan, char final,
		    struct vmsi_scan *word);

/* A line; *line is without its newline, which the last one may lack. */
bool vmsi_scan_line(struct vmsi_scan *scan, struct vmsi_scan *line);

/* Whether what is left equals text; at stays. */
bool vmsi_scan_is(const struct vmsi_scan *scan, const char *text);

/* Whether a character is a decimal or lower-case hexadecimal digit. */
bool vmsi_is_hex_digit(char character);

/*
 * Whether word is the one in brackets in a setting of sysfs, such as
 * "always [madvise] never".
 */
bool vmsi_scan_is_chosen(struct vmsi_scan setting, const char *word);

#endif
