/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SWAP_OBJECT_H
#define VMSI_SWAP_OBJECT_H

#include <stdbool.h>

#include "base/align.h"
#include "swap/swap.h"

/*
 * A page as it is kept: a header and its bytes, compressed or not, in a cluster.
 *
 *   cluster:  | header bytes  pad | header bytes pad | ... |        |
 *             0                   ^ a multiple of 16         fill
 *
 * A place has a word that says where its object is.
 */

#define VMSI_OBJECT_GRANULE 16u

struct vmsi_object {
	uint64_t place;
	uint64_t sum; /* filled in when the cluster goes to the file */
	uint32_t bytes;
	uint32_t codec;
};

/* The bytes of a cluster that an object of so many takes. */
static inline size_t vmsi_object_size(size_t bytes)
{
	return vmsi_align_up(sizeof(struct vmsi_object) + bytes, VMSI_OBJECT_GRANULE);
}

/*
 * The checksum of an object in a cluster with a sequence number: so what was written
 * there earlier, or to another cluster, has another one.
 */
uint64_t vmsi_object_sum(const struct vmsi_object *object, const void *bytes,
			 uint64_t sequence);

/*
 * Whether what was read can be the object of a place that takes size bytes of a cluster,
 * in a store with that codec. The sum is not looked at.
 */
bool vmsi_object_is_sane(const struct vmsi_object *object, uint64_t place, size_t size,
			 size_t page_bytes, enum vmsi_swap_codec codec);

/* --- the word of a place ------------------------------------------------------------ */

/*
 *   bits 0..1   what there is
 *   FREE        bits 2..63: the next free place, plus one; 0: none, or never used
 *   OBJECT      bits 2..21: where in the cluster, 22..39: how much, both in granules;
 *               40..63: the cluster
 */
enum vmsi_place_kind { VMSI_PLACE_FREE, VMSI_PLACE_ZERO, VMSI_PLACE_OBJECT };

#define VMSI_CLUSTER_IDS (1u << 24)

static inline enum vmsi_place_kind vmsi_place_kind(uint64_t word)
{
	return (enum vmsi_place_kind)(word & 3);
}

static inline uint64_t vmsi_place_of_object(uint32_t cluster, size_t offset, size_t size)
{
	return VMSI_PLACE_OBJECT | (uint64_t)(offset / VMSI_OBJECT_GRANULE) << 2 |
		(uint64_t)(size / VMSI_OBJECT_GRANULE) << 22 | (uint64_t)cluster << 40;
}

static inline uint32_t vmsi_place_cluster(uint64_t word)
{
	return (uint32_t)(word >> 40);
}

static inline size_t vmsi_place_offset(uint64_t word)
{
	return (size_t)(word >> 2 & 0xfffff) * VMSI_OBJECT_GRANULE;
}

static inline size_t vmsi_place_size(uint64_t word)
{
	return (size_t)(word >> 22 & 0x3ffff) * VMSI_OBJECT_GRANULE;
}

#endif
