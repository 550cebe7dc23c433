/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SWAP_CLUSTERS_H
#define VMSI_SWAP_CLUSTERS_H

#include "swap/state.h"

/* Clusters and the edges between their states. Under the lock. */

/* What there must be more of, so that something can be done. */
enum vmsi_need {
	VMSI_NEED_NOTHING,
	VMSI_NEED_BUFFER,  /* clusters in memory must be written, or emptied */
	VMSI_NEED_ROOM,    /* on the disk; or else clusters must be emptied */
	VMSI_NEED_CLUSTER, /* clusters must be emptied */
	VMSI_NEED_MEMORY,  /* for records; there will never be any */
};

/* Make the cluster that is filled next: FREE to OPEN. The one that was open is sealed. */
enum vmsi_need vmsi_cluster_open(struct vmsi_swap *swap, enum vmsi_filling filling);

/* The queue of SEALED. */
void vmsi_cluster_queue_last(struct vmsi_swap *swap, uint32_t id);
void vmsi_cluster_queue_first(struct vmsi_swap *swap, uint32_t id);
void vmsi_cluster_unqueue(struct vmsi_swap *swap, uint32_t id);

/*
 * Something has gone from a cluster: objects, readers, or the wait for its write. Give
 * back what it needs no more.
 */
void vmsi_cluster_settle(struct vmsi_swap *swap, uint32_t id);

/* The bytes of a cluster that is in memory. */
char *vmsi_cluster_bytes(const struct vmsi_swap *swap, uint32_t id);

/* Where a cluster is in the file, whose first bytes are the header's. */
uint64_t vmsi_cluster_offset(const struct vmsi_swap *swap, uint32_t id);

#endif
