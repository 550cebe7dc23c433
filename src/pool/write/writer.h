/* SPDX-License-Identifier: MIT */
#ifndef VMSI_POOL_WRITE_WRITER_H
#define VMSI_POOL_WRITE_WRITER_H

#include "pool/pool.h"

/*
 * The thread that writes in the background: when somebody who needed room has met dirty
 * pages, it writes those that are next to leave, so that who comes next finds clean ones.
 */

/* Returns 0 or -EAGAIN. */
int vmsi_writer_start(struct vms_pool *pool);
void vmsi_writer_end(struct vms_pool *pool);

/* There is something to write. */
void vmsi_writer_call(struct vms_pool *pool);

#endif
