/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TEXT_MAPS_H
#define VMSI_TEXT_MAPS_H

#include "text/scan.h"

/* A line of /proc/PID/maps, or the first line of a mapping in /proc/PID/smaps. */
struct vmsi_maps_line {
	uintptr_t start, end; /* not empty */
	bool is_readable, is_writable, is_executable, is_shared;
	uint64_t offset;
	uint64_t device, inode; /* as in struct stat; inode 0: no file */
	/* The last column: the path of a file, a name in brackets, or nothing. */
	struct vmsi_scan label;
};

/*
 * Read "START-END RIGHTS OFFSET MAJOR:MINOR INODE    LABEL", without its
 * newline. mapping->label points into the line. Returns false where the line is
 * not understood.
 */
bool vmsi_maps_line_read(struct vmsi_scan line, struct vmsi_maps_line *mapping);

/*
 * Copy a label to a path of size bytes, cut off where it is longer, with a final
 * 0. The kernel writes newlines as "\012", which become newlines again. It does
 * not escape the backslash, so a "\012" in the path itself does too.
 */
void vmsi_label_path(struct vmsi_scan label, char *path, size_t size);

#endif
