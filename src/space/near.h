/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SPACE_NEAR_H
#define VMSI_SPACE_NEAR_H

#include "base/align.h"

/*
 * Reserve size bytes of addresses, none of which is more than reach from near. Returns
 * 0; -ERANGE where no such range is free; or -errno.
 */
int vmsi_reserve_near(size_t size, uintptr_t near, size_t reach,
		      struct vmsi_range *range);

#endif
