/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TEXT_SIZE_H
#define VMSI_TEXT_SIZE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Sizes as people write them: in bytes, or in K, M, G or T, powers of 1,024. */

enum vmsi_size_form {
	VMSI_SIZE_WHOLE,    /* "4096", "64K", "2g" */
	VMSI_SIZE_FRACTION, /* "1.5G" and ".5M" too, rounded down to bytes */
};

/* Read a size. Returns false where text is none, or more than a size_t holds. */
bool vmsi_parse_size(const char *text, enum vmsi_size_form form,
		     size_t *bytes);

/* Whether a size has no unit, which may have been forgotten. */
bool vmsi_size_lacks_unit(const char *text);

/* How sizes are written. */
enum vmsi_size_style {
	VMSI_SIZE_HUMAN, /* "188K", "1.3M", "2G": units of 1,024 */
	VMSI_SIZE_BYTES, /* "192512" */
};

/* Holds any size in either style. */
struct vmsi_size_text {
	char text[24];
};

/*
 * Write a size. Human ones have at most four characters and a unit; they show
 * tenths if they are below 100 units and not exact.
 */
struct vmsi_size_text vmsi_size_text(uint64_t bytes,
				     enum vmsi_size_style style);

#endif
