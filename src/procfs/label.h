/* SPDX-License-Identifier: MIT */
#ifndef VMSI_PROCFS_LABEL_H
#define VMSI_PROCFS_LABEL_H

#include "text/maps.h"

/*
 * What the last column of a mapping in /proc/PID/maps says: the path of a file, a
 * name, or nothing. The kernel makes files of its own for shared anonymous memory,
 * anonymous huge pages and System V segments, which are no files of the program.
 */

enum vmsi_label_kind {
	VMSI_LABEL_NONE,   /* memory without a file or a name */
	VMSI_LABEL_FILE,   /* text is its path, as the kernel writes it */
	VMSI_LABEL_KERNEL, /* a name of the kernel's: "[heap]", "/SYSV00000000" */
	VMSI_LABEL_GIVEN,  /* a name that the program has given, without "[anon:" */
};

struct vmsi_label {
	enum vmsi_label_kind kind;
	struct vmsi_scan text; /* within the line's label; empty for NONE */
};

/* is_huge: the mapping is one of hugetlb, or that is not known. */
struct vmsi_label vmsi_label_read(const struct vmsi_maps_line *line,
				  bool is_huge);

/*
 * Whether a path ends in the remark that its file has no name any more, which is
 * then taken off.
 */
bool vmsi_label_is_deleted(struct vmsi_scan *path);

#endif
