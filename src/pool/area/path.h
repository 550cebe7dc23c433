/* SPDX-License-Identifier: MIT */
#ifndef VMSI_POOL_AREA_PATH_H
#define VMSI_POOL_AREA_PATH_H

#include <stdbool.h>

/* The file that an area is in. */

/*
 * Open it, or make it, and lock it; is_read_only: neither make it nor keep other readers
 * out. home is the pool's file. Returns a descriptor, or -errno: EEXIST (no regular file,
 * or that one), EPERM (somebody may write it who has nothing to do with the file, or it has
 * another name), EBUSY (another pool has it).
 */
long vmsi_area_path_open(const char *path, int home, bool is_read_only);

/* Before it is closed: a child of fork may have the descriptor, too. */
void vmsi_area_path_unlock(int fd);

#endif
