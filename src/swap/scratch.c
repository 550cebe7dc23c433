/* SPDX-License-Identifier: MIT */
#include "swap/scratch.h"

static bool may_take(const struct vmsi_swap *swap, enum vmsi_scratch_user user)
{
	const unsigned all = (1u << VMSI_SWAP_SCRATCHES) - 1;

	return swap->scratches_used != all &&
		(user == VMSI_SCRATCH_GET || swap->putters < VMSI_SWAP_SCRATCHES - 1);
}

struct vmsi_scratch vmsi_scratch_take(struct vmsi_swap *swap, enum vmsi_scratch_user user)
{
	struct vmsi_scratch scratch;
	char *memory;

	while (!may_take(swap, user))
		vmsi_swap_sleep(swap);
	scratch.index = (unsigned)__builtin_ctz(~swap->scratches_used);
	swap->scratches_used |= 1u << scratch.index;
	swap->putters += user == VMSI_SCRATCH_PUT;
	memory = swap->scratches + scratch.index * swap->scratch_bytes;
	scratch.packed = memory;
	scratch.state = memory + swap->page_bytes;
	return scratch;
}

void vmsi_scratch_give(struct vmsi_swap *swap, const struct vmsi_scratch *scratch,
		       enum vmsi_scratch_user user)
{
	swap->scratches_used &= ~(1u << scratch->index);
	swap->putters -= user == VMSI_SCRATCH_PUT;
	vmsi_swap_ring_bell(swap);
}
