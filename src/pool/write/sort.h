/* SPDX-License-Identifier: MIT */
#ifndef VMSI_POOL_WRITE_SORT_H
#define VMSI_POOL_WRITE_SORT_H

#include <stddef.h>

/*
 * Sort an array of things of size bytes, a multiple of 8 up to VMSI_SORT_MOST, by the
 * page number (uint64_t) that each begins with. qsort(3) may allocate.
 */
#define VMSI_SORT_MOST 24

void vmsi_sort(void *array, size_t count, size_t size);

#endif
