/* SPDX-License-Identifier: MIT */
#include "swap/clusters.h"

#include "base/align.h"
#include "base/panic.h"
#include "host/host.h"
#include "swap/memory.h"

char *vmsi_cluster_bytes(const struct vmsi_swap *swap, uint32_t id)
{
	return vmsi_memory_buffer(swap, swap->clusters[id].buffer);
}

uint64_t vmsi_cluster_offset(const struct vmsi_swap *swap, uint32_t id)
{
	return ((uint64_t)id + 1) * swap->cluster_bytes;
}

/* --- the queue ---------------------------------------------------------------------- */

void vmsi_cluster_queue_last(struct vmsi_swap *swap, uint32_t id)
{
	struct vmsi_cluster *cluster = &swap->clusters[id];

	cluster->state = VMSI_CLUSTER_SEALED;
	cluster->next = VMSI_NONE;
	cluster->previous = swap->last;
	if (swap->last == VMSI_NONE)
		swap->first = id;
	else
		swap->clusters[swap->last].next = id;
	swap->last = id;
}

void vmsi_cluster_queue_first(struct vmsi_swap *swap, uint32_t id)
{
	struct vmsi_cluster *cluster = &swap->clusters[id];

	cluster->state = VMSI_CLUSTER_SEALED;
	cluster->previous = VMSI_NONE;
	cluster->next = swap->first;
	if (swap->first == VMSI_NONE)
		swap->last = id;
	else
		swap->clusters[swap->first].previous = id;
	swap->first = id;
}

void vmsi_cluster_unqueue(struct vmsi_swap *swap, uint32_t id)
{
	const struct vmsi_cluster *cluster = &swap->clusters[id];

	vmsi_debug_check(cluster->state == VMSI_CLUSTER_SEALED,
			 "W2: only what is sealed is in the queue");
	if (cluster->previous == VMSI_NONE)
		swap->first = cluster->next;
	else
		swap->clusters[cluster->previous].next = cluster->next;
	if (cluster->next == VMSI_NONE)
		swap->last = cluster->previous;
	else
		swap->clusters[cluster->next].previous = cluster->previous;
}

/* --- opening ------------------------------------------------------------------------ */

/*
 * Moving pages out of clusters has to go on where putting them has come to its end: so
 * the last number and the last two buffers are kept for that, one to fill and one to
 * read into.
 */
static uint32_t kept_clusters(enum vmsi_filling filling)
{
	return filling == VMSI_FILL_PUT ? 1 : 0;
}

static uint32_t kept_buffers(enum vmsi_filling filling)
{
	return filling == VMSI_FILL_PUT ? VMSI_SWAP_BUFFERS_KEPT : 0;
}

/* The memory that the records of so many clusters touch. */
static size_t record_bytes(uint32_t count)
{
	return vmsi_align_up(count * sizeof(struct vmsi_cluster), vmsi_page_size());
}

/* A number that was never used may take memory for its record. */
static enum vmsi_need need_number(struct vmsi_swap *swap)
{
	const uint32_t fresh = swap->fresh_cluster;

	if (swap->free_clusters)
		return VMSI_NEED_NOTHING;
	switch (vmsi_memory_fits(swap, record_bytes(fresh + 1) - record_bytes(fresh))) {
	case VMSI_FITS:
		return VMSI_NEED_NOTHING;
	case VMSI_FITS_LATER:
		return VMSI_NEED_BUFFER;
	case VMSI_FITS_NEVER:
		break;
	}
	return VMSI_NEED_CLUSTER;
}

/*
 * The clusters that there may be at a time: as many as the disk has room for. Where the
 * memory has room for more it is as without a file: buffers bound what is moved.
 */
static uint32_t most_clusters(const struct vmsi_swap *swap, enum vmsi_filling filling)
{
	const uint32_t in_memory = vmsi_memory_most(swap);

	if (swap->backed_clusters >= in_memory)
		return swap->backed_clusters;
	return filling == VMSI_FILL_MOVE ? swap->cluster_count :
					   (uint32_t)vmsi_min(swap->cluster_count, in_memory);
}

static enum vmsi_need need(struct vmsi_swap *swap, enum vmsi_filling filling)
{
	const uint32_t used = swap->fresh_cluster - swap->free_clusters;
	enum vmsi_need number;

	if (used + kept_clusters(filling) >= most_clusters(swap, filling))
		return swap->backed_clusters < swap->cluster_count ? VMSI_NEED_ROOM :
								     VMSI_NEED_CLUSTER;
	number = need_number(swap);
	if (number != VMSI_NEED_NOTHING)
		return number;
	if (vmsi_memory_buffers(swap) <= kept_buffers(filling))
		return VMSI_NEED_BUFFER;
	return VMSI_NEED_NOTHING;
}

static void give_number(struct vmsi_swap *swap, uint32_t id)
{
	swap->clusters[id].state = VMSI_CLUSTER_FREE;
	swap->clusters[id].next = swap->free_cluster;
	swap->free_cluster = id;
	swap->free_clusters++;
}

static uint32_t take_number(struct vmsi_swap *swap)
{
	const uint32_t id = swap->free_cluster;

	if (!swap->free_clusters)
		return swap->fresh_cluster++;
	swap->free_cluster = swap->clusters[id].next;
	swap->free_clusters--;
	return id;
}

enum vmsi_need vmsi_cluster_open(struct vmsi_swap *swap, enum vmsi_filling filling)
{
	const uint32_t full = swap->open[filling];
	enum vmsi_need what;
	uint32_t id, buffer;

	if (full != VMSI_NONE) {
		swap->open[filling] = VMSI_NONE;
		vmsi_cluster_queue_last(swap, full);
		vmsi_cluster_settle(swap, full);
	}
	what = need(swap, filling);
	if (what != VMSI_NEED_NOTHING)
		return what;
	/* The record of the number may have taken what there was for a buffer. */
	id = take_number(swap);
	buffer = vmsi_memory_take(swap);
	if (buffer == VMSI_NONE) {
		give_number(swap, id);
		return VMSI_NEED_BUFFER;
	}
	swap->clusters[id] = (struct vmsi_cluster){
		.sequence = ++swap->sequence,
		.buffer = buffer,
		.state = VMSI_CLUSTER_OPEN,
	};
	swap->open[filling] = id;
	return VMSI_NEED_NOTHING;
}

/* --- settling ----------------------------------------------------------------------- */

static bool is_read(const struct vmsi_cluster *cluster)
{
	return cluster->memory_readers > 0 || cluster->file_readers > 0;
}

/* Whatever was in it is gone: it is filled from its start, as another one. */
static void empty_open(struct vmsi_swap *swap, struct vmsi_cluster *cluster)
{
	cluster->fill = 0;
	cluster->sequence = ++swap->sequence;
}

static void set_free(struct vmsi_swap *swap, uint32_t id)
{
	struct vmsi_cluster *cluster = &swap->clusters[id];

	if (cluster->state == VMSI_CLUSTER_SEALED)
		vmsi_cluster_unqueue(swap, id);
	else
		swap->filed--;
	if (cluster->buffer != VMSI_NONE)
		vmsi_memory_give(swap, cluster->buffer);
	cluster->buffer = VMSI_NONE;
	give_number(swap, id);
}

void vmsi_cluster_settle(struct vmsi_swap *swap, uint32_t id)
{
	struct vmsi_cluster *cluster = &swap->clusters[id];
	const bool is_filed = cluster->state == VMSI_CLUSTER_FILED;

	if (is_filed && cluster->buffer != VMSI_NONE && cluster->memory_readers == 0) {
		vmsi_memory_give(swap, cluster->buffer);
		cluster->buffer = VMSI_NONE;
		swap->lingering--;
		vmsi_swap_ring_bell(swap);
	}
	if (cluster->live > 0 || is_read(cluster) || cluster->is_collected)
		return;
	if (cluster->state == VMSI_CLUSTER_OPEN)
		empty_open(swap, cluster);
	if (!is_filed && cluster->state != VMSI_CLUSTER_SEALED)
		return;
	set_free(swap, id);
	vmsi_swap_ring_bell(swap);
}
