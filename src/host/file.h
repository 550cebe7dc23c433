/* SPDX-License-Identifier: MIT */
#ifndef VMSI_HOST_FILE_H
#define VMSI_HOST_FILE_H

#include <stddef.h>

#include "text/fields.h"

/* Reads the small files of procfs and sysfs. */

/* Read the start of a file. Returns the bytes read, 0 where that fails. */
size_t vmsi_host_read_start(const char *path, char *buffer, size_t size);

/* Read a file that holds one decimal number. Returns false where it does not. */
bool vmsi_host_read_number(const char *path, uint64_t *number);

/*
 * Read fields of a file of "Key: value" lines as vmsi_fields_read does. Returns
 * 0, or -errno of the opening or the read, or -EPROTO.
 */
int vmsi_host_read_fields(const char *path, const struct vmsi_field *table,
			  size_t count, void *record, uint64_t *seen);

/* Set up lines to be read from descriptor *fd, by a buffer of size bytes. */
void vmsi_host_lines(struct vmsi_lines *lines, int *fd, char *buffer,
		     size_t size);

/*
 * A file whose lines are read; it must not be copied. A line may be longer than
 * the buffer: "Groups:" of status has a number for each group of the process.
 */
struct vmsi_host_file {
	int fd;
	struct vmsi_lines lines;
	char buffer[512]; /* small: stacks may be small */
};

/* Returns 0, or -errno and there is nothing to close. */
int vmsi_host_file_open(struct vmsi_host_file *file, const char *path);
void vmsi_host_file_close(struct vmsi_host_file *file);

#endif
