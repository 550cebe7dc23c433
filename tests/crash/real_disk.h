/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_REAL_DISK_H
#define VMSI_TESTS_REAL_DISK_H

#include "memory_disk.h"
#include "workload.h"

/* Whether a file's bytes are what a crash may leave. */
typedef bool (*real_disk_check)(const uint8_t *bytes, uint64_t size);

/*
 * Write a disk to files, and open it by the public calls, which map it: first for
 * reading, then for writing, which recovers. The machine is another run than the one
 * that wrote the disk. The files are removed again. Returns what is wrong, or NULL.
 */
const char *real_disk_try(const struct memory_disk *disk,
			  const struct workload_files *files,
			  real_disk_check check);

#endif
