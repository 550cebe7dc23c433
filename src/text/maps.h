/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TEXT_MAPS_H
#define VMSI_TEXT_MAPS_H

#include "text/scan.h"

/* A line of /proc/PID/maps, and the first of a mapping in /proc/PID/smaps. */
struct vmsi_maps_line {
	uintptr_t start, end; /* not empty */
	bool is_readable, is_writable, is_executable, is_shared;
	uint64_t offset;
	uint64_t device, inode; /* as in struct stat; inode 0: it has no file */
	/*
	 * The last column, as the kernel writes it: the path of a file, a name
	 * in brackets, or nothing.
	 */
	struct vmsi_scan label;
};

/*
 * Read "START-END RIGHTS OFFSET MAJOR:MINOR INODE    LABEL", without its
 * newline. The label lies in the line. Returns false where it is not understood.
 */
bool vmsi_maps_line_read(struct vmsi_scan line, struct vmsi_maps_line *mapping);

/*
 * Write a label to a path of size bytes and end it with a 0: newlines, which
 * the kernel writes as "\012", are given back, and what is too long loses its
 * end. The kernel does not escape the backslash, so a path that really has
 * "\012" in it reads as one with a newline.
 */
void vmsi_label_path(struct vmsi_scan label, char *path, size_t size);

#endif
