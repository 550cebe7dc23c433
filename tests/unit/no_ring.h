/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_NO_RING_H
#define VMSI_TESTS_NO_RING_H

#include <errno.h>

#include "host/uring.h"

/*
 * In the place of vmsi_uring.open: a host that refuses io_uring. What a test refuses, counts or
 * records by vmsi_host does not see what the kernel's ring does.
 */
static inline int no_ring(struct vmsi_uring *ring, unsigned entries)
{
	(void)ring;
	(void)entries;
	return -EPERM;
}

#endif
