/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SHARE_NAMED_H
#define VMSI_SHARE_NAMED_H

#include <sys/types.h>

/*
 * The file of a share that has a path. It has no name before vmsi_named_publish, where
 * the file system can make such a file (O_TMPFILE); else it has it from the first, and
 * loses it again by vmsi_named_drop.
 */
struct vmsi_named {
	const char *path;
	int has_name;
};

/* Returns a descriptor or -errno; -EEXIST where the path exists. */
int vmsi_named_make(struct vmsi_named *named, const char *path, mode_t mode);
int vmsi_named_publish(struct vmsi_named *named, int fd);
void vmsi_named_drop(struct vmsi_named *named);

#endif
