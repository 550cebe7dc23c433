/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TEXT_NUMBER_H
#define VMSI_TEXT_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

#include "text/lines.h"

/* Texts that are a number and nothing else, and numbers as text. */

/* Read decimal digits. Returns false for any other text, or above 64 bits. */
bool vmsi_parse_number(const char *text, uint64_t *number);

/* The same of a number that an int holds: of a process, or of a descriptor. */
bool vmsi_parse_int(const char *text, int *number);

/*
 * A file that is one number, as most of /proc/sys/vm.
 *
 * Returns 0 and the number; -EPROTO where the text is anything else than one
 * line with an unsigned decimal number, or -errno of the read. The result is as
 * before on failure.
 */
int vmsi_number_read(struct vmsi_lines *lines, uint64_t *number);

/* Room for the digits of any number, and a final 0. */
struct vmsi_digits {
	char text[sizeof("18446744073709551615")];
};

/* Write a number in base 10 or 16. Returns its first digit in the room. */
const char *vmsi_write_digits(struct vmsi_digits *room, uint64_t number,
			      unsigned base);

#endif
