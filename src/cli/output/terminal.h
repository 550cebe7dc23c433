/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_OUTPUT_TERMINAL_H
#define VMSI_CLI_OUTPUT_TERMINAL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* What a terminal can do, and colours: only there, and only where they are wanted. */

/* Whether a descriptor is a terminal that knows escape codes: TERM is not "dumb". */
bool vmsi_terminal_obeys(int descriptor);

/* Whether colours are wanted: NO_COLOR is not set, or empty (no-color.org). */
bool vmsi_colours_are_wanted(void);

/* What must be seen. */
enum vmsi_mark {
	VMSI_MARK_BAD,  /* something is wrong: red */
	VMSI_MARK_NEAR, /* it soon may be: yellow */
};

/*
 * Write what comes between the two calls in a colour, where the stream is a terminal and
 * colours are wanted. The end without a begin does nothing.
 */
void vmsi_mark_begin(FILE *stream, enum vmsi_mark mark);
/* The same where so much is used of a limit that it is nearly full. */
void vmsi_mark_begin_if_near(FILE *stream, uint64_t used, uint64_t limit);
void vmsi_mark_end(FILE *stream);

#endif
