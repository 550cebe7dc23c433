/* SPDX-License-Identifier: MIT */
#ifndef VMSI_POOL_ASIDE_SETTLE_H
#define VMSI_POOL_ASIDE_SETTLE_H

#include "pool/write/write.h"

/* Told of each batch. Returns 0, or -errno to give up. */
typedef int (*vmsi_settle_note)(void *context, const struct vmsi_outcome *written);

/*
 * Write pages into the file that are aside, have a change with a number up to lsn, and may
 * be in the file by now; the others that have such a change are told as not durable.
 * Returns 0, or -errno where it was given up or nothing is written any more.
 */
int vmsi_settle(struct vms_pool *pool, uint64_t lsn, vmsi_settle_note note, void *context);

#endif
