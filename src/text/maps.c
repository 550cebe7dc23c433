/* SPDX-License-Identifier: MIT */
#include "text/maps.h"

#include <string.h>
#include <sys/sysmacros.h>

static bool scan_range(struct vmsi_scan *scan, struct vmsi_maps_line *mapping)
{
	uint64_t start, end;

	if (!vmsi_scan_hex(scan, &start) || !vmsi_scan_char(scan, '-') ||
	    !vmsi_scan_hex(scan, &end))
		return false;
	if (start >= end || end > UINTPTR_MAX)
		return false;
	mapping->start = (uintptr_t)start;
	mapping->end = (uintptr_t)end;
	return true;
}

/* Read one of two letters; *first tells whether it was the first one. */
static bool scan_either(struct vmsi_scan *scan, char letter, char other,
			bool *first)
{
	*first = vmsi_scan_char(scan, letter);
	return *first || vmsi_scan_char(scan, other);
}

/*
 * "sh" in VmFlags of smaps would not do for is_shared: the kernel does not show it
 * for a shared mapping of a file that was opened for reading only.
 */
static bool scan_rights(struct vmsi_scan *scan, struct vmsi_maps_line *mapping)
{
	return scan_either(scan, 'r', '-', &mapping->is_readable) &&
		scan_either(scan, 'w', '-', &mapping->is_writable) &&
		scan_either(scan, 'x', '-', &mapping->is_executable) &&
		scan_either(scan, 's', 'p', &mapping->is_shared);
}

/*
 * Move past what the kernel writes of memory without a file, which most mappings are
 * where there are many. False: there is a file.
 */
static bool scan_no_file(struct vmsi_scan *scan, struct vmsi_maps_line *mapping)
{
	static const char none[] = "00000000 00:00 0";
	const size_t length = sizeof(none) - 1;

	if (vmsi_scan_left(scan) < length || memcmp(scan->at, none, length) != 0 ||
	    (vmsi_scan_left(scan) > length && scan->at[length] != ' '))
		return false;
	scan->at += length;
	mapping->offset = mapping->device = mapping->inode = 0;
	return true;
}

static bool scan_file(struct vmsi_scan *scan, struct vmsi_maps_line *mapping)
{
	uint64_t major_number, minor_number;

	if (scan_no_file(scan, mapping))
		return true;
	if (!vmsi_scan_hex(scan, &mapping->offset) ||
	    !vmsi_scan_char(scan, ' ') ||
	    !vmsi_scan_hex(scan, &major_number) || !vmsi_scan_char(scan, ':') ||
	    !vmsi_scan_hex(scan, &minor_number) || !vmsi_scan_char(scan, ' ') ||
	    !vmsi_scan_decimal(scan, &mapping->inode))
		return false;
	if (major_number > UINT32_MAX || minor_number > UINT32_MAX)
		return false;
	mapping->device = makedev((unsigned)major_number,
				  (unsigned)minor_number);
	return true;
}

bool vmsi_maps_line_read(struct vmsi_scan line, struct vmsi_maps_line *mapping)
{
	if (!scan_range(&line, mapping) || !vmsi_scan_char(&line, ' ') ||
	    !scan_rights(&line, mapping) || !vmsi_scan_char(&line, ' ') ||
	    !scan_file(&line, mapping))
		return false;
	if (vmsi_scan_left(&line) > 0 && !vmsi_scan_char(&line, ' '))
		return false;
	vmsi_scan_blanks(&line);
	mapping->label = line;
	return true;
}

void vmsi_label_path(struct vmsi_scan label, char *path, size_t size)
{
	static const char newline[] = "\\012";
	const size_t escaped = sizeof(newline) - 1;
	size_t length = 0;

	while (label.at < label.end && length < size - 1) {
		if (vmsi_scan_left(&label) >= escaped &&
		    memcmp(label.at, newline, escaped) == 0) {
			path[length++] = '\n';
			label.at += escaped;
		} else {
			path[length++] = *label.at++;
		}
	}
	path[length] = '\0';
}
