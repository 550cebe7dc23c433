/* SPDX-License-Identifier: MIT */
#ifndef VMSI_POOL_PLAIN_TOUCH_H
#define VMSI_POOL_PLAIN_TOUCH_H

#include "pool/pool.h"

/* Pages of a pool that is VMS_POOL_TRANSPARENT: they come and change by plain pointers. */

/* What answers faults: see vmsi_pager_resolve. The context is the pool. */
int vmsi_touch(void *context, uintptr_t address, enum vmsi_access access);

#endif
