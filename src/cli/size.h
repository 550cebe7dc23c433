/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_SIZE_H
#define VMSI_CLI_SIZE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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

/* Read "4096", "64K", "1.5G"; units of 1,024. Returns false for others. */
bool vmsi_parse_size(const char *text, size_t *bytes);

/* Whether a size has no unit: the letter may have been forgotten. */
bool vmsi_size_lacks_unit(const char *text);

/*
 * Read the decimal digits that text begins with; end is what stands after them.
 * Returns false where there are none, or more than 64 bits hold.
 */
bool vmsi_parse_number(const char *text, char **end, uint64_t *number);

#endif
