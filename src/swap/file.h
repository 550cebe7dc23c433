/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SWAP_FILE_H
#define VMSI_SWAP_FILE_H

#include <stdint.h>

/*
 * The swap file. Its first cluster has a header, which says that it is one; from the
 * second on it has the clusters of the run that has it open, and of no other.
 */

/*
 * Open or make a file, lock it, and make it empty. Returns a descriptor, or -errno as
 * vmsi_swap_open does; then a file that was there is as before.
 */
int vmsi_swap_file_open(const char *path);

/* Make it empty, and close it. */
void vmsi_swap_file_close(int fd);

/*
 * Have room on the disk for a part of the file that was never written, which becomes no
 * longer by that where the file system can. Returns 0; -ENOSPC: the disk, or what the user
 * may have of it, is full. What else is wrong the write tells.
 */
int vmsi_swap_file_reserve(int fd, uint64_t offset, uint64_t length);

/* The most bytes that a file may have: limit, or RLIMIT_FSIZE if that is less. */
uint64_t vmsi_swap_file_limit(uint64_t limit);

#endif
