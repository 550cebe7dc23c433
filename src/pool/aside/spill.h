/* SPDX-License-Identifier: MIT */
#ifndef VMSI_POOL_ASIDE_SPILL_H
#define VMSI_POOL_ASIDE_SPILL_H

#include "pool/write/write.h"

/*
 * Write the dirty pages of a batch, so that they can leave: into the file, or aside where
 * there is no file, or where they must not be in the file yet. As vmsi_write_batch, but
 * what of again there was is not told.
 */
int vmsi_spill_batch(struct vms_pool *pool, struct vmsi_batch *batch,
		     struct vmsi_outcome *written);

#endif
