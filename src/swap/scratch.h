/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SWAP_SCRATCH_H
#define VMSI_SWAP_SCRATCH_H

#include "swap/state.h"

/* Memory for one thread while it compresses or restores pages. Under the lock. */
struct vmsi_scratch {
	void *state;  /* of the codec */
	char *packed; /* as large as a page */
	unsigned index;
};

enum vmsi_scratch_user { VMSI_SCRATCH_PUT, VMSI_SCRATCH_GET };

/*
 * Take one, and wait for it. Those who put may have to wait for the file with theirs, so
 * they never have them all.
 */
struct vmsi_scratch vmsi_scratch_take(struct vmsi_swap *swap, enum vmsi_scratch_user user);
void vmsi_scratch_give(struct vmsi_swap *swap, const struct vmsi_scratch *scratch,
		       enum vmsi_scratch_user user);

#endif
