/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_DATA_END_H
#define VMSI_CLI_DATA_END_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Where a file's data ends in memory: the loader maps its zeros, '.bss', behind what the
 * file has, and what a program maps there later is one mapping with them.
 */

#define VMSI_DATA_UNKNOWN UINTPTR_MAX

/*
 * head    The first length bytes of the file.
 * offset  Of what is mapped at start, into the file.
 *
 * Return the end, up to a whole page; 0 where the file has no such data;
 * VMSI_DATA_UNKNOWN where it cannot be told.
 */
uintptr_t vmsi_data_end(const void *head, size_t length, uint64_t offset,
			uintptr_t start);

/* The same of a file that a process has mapped, by its path there. */
uintptr_t vmsi_data_end_of(pid_t pid, const char *path, uint64_t offset,
			   uintptr_t start);

#endif
