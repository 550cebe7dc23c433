/* SPDX-License-Identifier: MIT */
#ifndef VMSI_POOL_AREA_PATH_H
#define VMSI_POOL_AREA_PATH_H

#include <stdbool.h>

/* The file that an area is in. */

/*
 * Open it, or make it, and lock it; is_read_only: neither make it nor keep other readers
 * out. Returns a descriptor, or -errno: EEXIST (no regular file), EPERM (others than its
 * owner may write it, or it has another name), EBUSY (another pool has it).
 */
long vmsi_area_path_open(const char *path, bool is_read_only);

/* Before it is closed: a child of fork may have the descriptor, too. */
void vmsi_area_path_unlock(int fd);

#endif
