/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_PAGE_COLUMNS_H
#define VMSI_CLI_PAGE_COLUMNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/*
 * A column of numbers in the page, for the typed arrays of its script: base64 of the
 * smallest of u8, u16, u32 and f64 that holds them all, little-endian. Numbers that are
 * all multiples of scale are divided by it. Of numbers that are all the same one is written.
 */
struct vmsi_page_column {
	const char *name;
	size_t count;
	uint64_t scale;
	bool is_signed;     /* its values are int64_t */
	bool is_rising;     /* each is written as its difference to the one before */
	uint64_t (*value)(const void *context, size_t index);
	const void *context;
};

/* Write a column as an element of its name. The stream knows whether that failed. */
void vmsi_page_column_write(FILE *stream, const struct vmsi_page_column *column);

#endif
