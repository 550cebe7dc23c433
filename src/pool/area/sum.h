/* SPDX-License-Identifier: MIT */
#ifndef VMSI_POOL_AREA_SUM_H
#define VMSI_POOL_AREA_SUM_H

#include <stddef.h>
#include <stdint.h>

/* XXH3, 64 bits. */
uint64_t vmsi_area_hash(const void *bytes, size_t length, uint64_t seed);

#endif
