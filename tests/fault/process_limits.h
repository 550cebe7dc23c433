/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_PROCESS_LIMITS_H
#define VMSI_TESTS_PROCESS_LIMITS_H

#include <stdbool.h>
#include <stddef.h>

/* Set limits that the kernel has for a process, and use them up. */

/* Return a figure of /proc/self/status in bytes; key ends with the colon. */
size_t status_bytes(const char *key);

/* Set a soft limit, up to the hard one. */
void limit_to(int resource, size_t bytes);

/*
 * Give up CAP_IPC_LOCK, which exempts from RLIMIT_MEMLOCK. Return whether that
 * worked.
 */
bool drop_right_to_lock(void);

/*
 * Use up vm.max_map_count but for about so many mappings, once in a program. Later
 * mappings are placed below, so a listing of a space need not read these. Return
 * false if the limit is too large to be reached, or too small.
 */
bool fill_map_count(size_t spare);

/* Then use up all mappings but slack; give these back. */
void use_up_mappings(unsigned slack);
void give_mappings_back(void);

#endif
