/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SWAP_WRITE_H
#define VMSI_SWAP_WRITE_H

#include "swap/clusters.h"

/* Clusters on their way to the file. Under the lock, which is not held meanwhile. */

/*
 * Begin to write the oldest cluster. false: there is none that the disk has room for, or
 * enough are being written.
 */
bool vmsi_write_begin(struct vmsi_swap *swap);

/*
 * 0, or the errno of a write, where more have failed than one bad spot of a disk accounts
 * for since the caller knew of so many failures.
 */
int vmsi_write_problem(const struct vmsi_swap *swap, uint64_t failures);

/*
 * Do, or wait for, something by which buffers become free. failures are those that the
 * caller knew of. Returns 0: look again; -ENOSPC: there is nothing to be done; or
 * vmsi_write_problem.
 */
int vmsi_write_step(struct vmsi_swap *swap, uint64_t failures);

/*
 * See that there is more of what is needed, but for clusters that must be emptied. Returns
 * 0: look again; -ENOSPC: there will not be; or vmsi_write_problem.
 */
int vmsi_write_make(struct vmsi_swap *swap, enum vmsi_need need, uint64_t failures);

/* Wait until nothing is being written. */
void vmsi_write_drain(struct vmsi_swap *swap);

#endif
