/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TEXT_SIZE_H
#define VMSI_TEXT_SIZE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Sizes as people write them. A unit is K, M, G or T, powers of 1,024. */

enum vmsi_size_form {
	VMSI_SIZE_WHOLE,    /* "4096", "64K", "2g" */
	VMSI_SIZE_FRACTION, /* "1.5G" and ".5M", too: rounded down to bytes */
};

/* Returns false where text is no size, or one of more bytes than there are. */
bool vmsi_parse_size(const char *text, enum vmsi_size_form form,
		     size_t *bytes);

/* Whether a size has no unit: the letter may have been forgotten. */
bool vmsi_size_lacks_unit(const char *text);

/* How sizes are written. */
enum vmsi_size_style {
	VMSI_SIZE_HUMAN, /* "188K", "1.3M", "2G": units of 1,024 */
	VMSI_SIZE_BYTES, /* "192512" */
};

/* Holds any size in any style. */
struct vmsi_size_text {
	char text[24];
};

/*
 * A number of bytes as text. Human sizes have at most four characters and a
 * unit; a tenth is shown below 100 units where the size is not whole.
 */
struct vmsi_size_text vmsi_size_text(uint64_t bytes,
				     enum vmsi_size_style style);

#endif
