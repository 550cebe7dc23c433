/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SWAP_APPEND_H
#define VMSI_SWAP_APPEND_H

#include "swap/clusters.h"
#include "swap/object.h"

/*
 * Put an object behind the others of the cluster that is filled, and tell the word of its
 * place. Under the lock.
 */
enum vmsi_need vmsi_append(struct vmsi_swap *swap, enum vmsi_filling filling,
			   const struct vmsi_object *object, const void *bytes,
			   uint64_t *word);

#endif
