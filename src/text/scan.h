/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TEXT_SCAN_H
#define VMSI_TEXT_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Scanning a text from left to right. Each call that returns bool moves the
 * scan past what it took and returns true, or returns false and leaves the
 * scan where it likes: the text is then not understood. Numbers that do not
 * fit in 64 bits are not understood.
 */
struct vmsi_scan {
	const char *at;
	const char *end;
};

/* A text that ends with a 0, which is not part of the scan. */
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

/* A decimal number of a row of them: blanks may stand before it. */
bool vmsi_scan_column(struct vmsi_scan *scan, uint64_t *value);

/* A word: what comes up to a blank, a final character or the end. Not empty. */
bool vmsi_scan_word(struct vmsi_scan *scan, char final,
		    struct vmsi_scan *word);

/* A line, without its newline; the last one may have none. */
bool vmsi_scan_line(struct vmsi_scan *scan, struct vmsi_scan *line);

/* Whether what is left is exactly text. */
bool vmsi_scan_is(const struct vmsi_scan *scan, const char *text);

/* Whether a character begins a lower-case hexadecimal number. */
bool vmsi_is_hex_digit(char character);

/*
 * Whether a word is the one in brackets in a setting of sysfs such as
 * "always [madvise] never".
 */
bool vmsi_scan_is_chosen(struct vmsi_scan setting, const char *word);

#endif
