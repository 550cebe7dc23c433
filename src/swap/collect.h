/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SWAP_COLLECT_H
#define VMSI_SWAP_COLLECT_H

#include "swap/state.h"

/*
 * Move what is left out of a cluster of which much is free, so that it can be used again;
 * or wait for who does. Under the lock, which is not held meanwhile. Returns 0: look
 * again; -ENOSPC: no cluster has enough that is free; or vmsi_write_problem.
 */
int vmsi_collect(struct vmsi_swap *swap, uint64_t failures);

/*
 * Clusters that could not be read are left out. A disk may be well again: from now on
 * they are tried once more. vmsi_collect does so when it returns -ENOSPC.
 */
void vmsi_collect_again(struct vmsi_swap *swap);

#endif
