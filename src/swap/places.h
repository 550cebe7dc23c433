/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SWAP_PLACES_H
#define VMSI_SWAP_PLACES_H

#include "swap/clusters.h"

/* Places, and the words that say what they have. Under the lock. */

/* Whether a place can be taken. VMSI_NEED_MEMORY: not before another is given back. */
enum vmsi_need vmsi_place_need(struct vmsi_swap *swap);

/* Take a place: vmsi_place_need has said VMSI_NEED_NOTHING. It has to get its word. */
uint64_t vmsi_place_take(struct vmsi_swap *swap);

/* Let go of what a place has, and of the place. */
void vmsi_place_give(struct vmsi_swap *swap, uint64_t place);

/* Whether a place has a page. */
bool vmsi_place_is_used(const struct vmsi_swap *swap, uint64_t place);

#endif
