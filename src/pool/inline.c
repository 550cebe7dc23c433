/* SPDX-License-Identifier: MIT */
#include "pool/pool.h"

/* The library's own copies of what the header defines, for programs in other languages. */

extern inline const void *vms_pool_begin(vms_pool *pool, uint64_t page, uint64_t *ticket);
extern inline bool vms_pool_validate(const vms_pool *pool, uint64_t page,
				     uint64_t ticket);
