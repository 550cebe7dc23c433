/* SPDX-License-Identifier: MIT */
#ifndef VMSI_HOST_FILE_H
#define VMSI_HOST_FILE_H

#include <stddef.h>

#include "text/fields.h"

/* The small files of procfs and sysfs by which the host tells what it is like. */

/* Read the start of a file; the number of bytes, 0 where it cannot be read. */
size_t vmsi_host_read_start(const char *path, char *buffer, size_t size);

/* Read a file that is one number. Returns false where it is none. */
bool vmsi_host_read_number(const char *path, uint64_t *number);

/*
 * Read fields of a file of "Key: value" lines as by vmsi_fields_read. Returns 0;
 * -errno of the opening or the read, or -EPROTO.
 */
int vmsi_host_read_fields(const char *path, const struct vmsi_field *table,
			  size_t count, void *record, uint64_t *seen);

/* Read lines from descriptor *fd into a buffer of size bytes; not 0. */
void vmsi_host_lines(struct vmsi_lines *lines, int *fd, char *buffer,
		     size_t size);

/*
 * A file whose lines are read; it must not be copied. A line may be longer than
 * the buffer: "Groups:" of status has a number for each group of the process.
 */
struct vmsi_host_file {
	int fd;
	struct vmsi_lines lines;
	char buffer[512]; /* the stack that it lies on may be small */
};

/* Returns 0, or -errno and there is nothing to close. */
int vmsi_host_file_open(struct vmsi_host_file *file, const char *path);
void vmsi_host_file_close(struct vmsi_host_file *file);

#endif
