/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_PROCESS_LIMITS_H
#define VMSI_TESTS_PROCESS_LIMITS_H

#include <stdbool.h>
#include <stddef.h>

/* The limits that the kernel sets a process, and coming close to them. */

/* A figure of /proc/self/status, in bytes; key ends with the colon. */
size_t status_bytes(const char *key);

/* Set a soft limit of setrlimit(2), as far as the hard one lets it. */
void limit_to(int resource, size_t bytes);

/*
 * Give CAP_IPC_LOCK up: RLIMIT_MEMLOCK is not for those who may lock all the
 * same. Returns whether that is done.
 */
bool drop_right_to_lock(void);

/*
 * Fill vm.max_map_count but for about so many mappings, once in a program. What
 * is mapped later lies below: a listing of a space need not read through it.
 * Returns whether it is filled: it may be too large for that, or too small.
 */
bool fill_map_count(size_t spare);

/* After that: use all mappings up but slack of them; give all of these back. */
void use_up_mappings(unsigned slack);
void give_mappings_back(void);

#endif
