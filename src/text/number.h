/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TEXT_NUMBER_H
#define VMSI_TEXT_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

#include "text/lines.h"

/* Reads texts that are one number and nothing else, and writes numbers as text. */

/* Read a decimal number. Returns false for other texts and beyond 64 bits. */
bool vmsi_parse_number(const char *text, uint64_t *number);

/* The same for a process id or a descriptor, which an int holds. */
bool vmsi_parse_int(const char *text, int *number);

/*
 * Read a file of one line with an unsigned decimal number, as most of /proc/sys/vm
 * are. Returns 0 and the number; -EPROTO for other texts, or -errno of the read,
 * and *number is as before.
 */
int vmsi_number_read(struct vmsi_lines *lines, uint64_t *number);

/* Holds the digits of any number and a final 0. */
struct vmsi_digits {
	char text[sizeof("18446744073709551615")];
};

/* Write a number in base 10 or 16 to the end of digits. Returns its first digit. */
const char *vmsi_write_digits(struct vmsi_digits *digits, uint64_t number,
			      unsigned base);

#endif
