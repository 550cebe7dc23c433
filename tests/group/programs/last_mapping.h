/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_GROUP_LAST_MAPPING_H
#define VMSI_TESTS_GROUP_LAST_MAPPING_H

#include <stddef.h>

/* The mapping that the last step has made, and the next one may work on. */
extern void *last;
extern size_t last_bytes;

/* Remember what mmap or mremap has answered. Returns 0 or its errno. */
int keep(void *mapped, size_t bytes);

#endif
