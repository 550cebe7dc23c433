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

/* The most bytes that a file may have: limit, or RLIMIT_FSIZE if that is less. */
uint64_t vmsi_swap_file_limit(uint64_t limit);

#endif
