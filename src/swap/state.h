/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SWAP_STATE_H
#define VMSI_SWAP_STATE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/lock.h"
#include "swap/swap.h"

/*
 * A cluster goes
 *
 *            first object      full           oldest             written
 *   FREE -------------> OPEN -------> SEALED ---------> WRITING ---------> FILED
 *    ^                                 |  ^ \ <-- failed -- /                |
 *    |          VICTIM <-- collected --/  |                                  |
 *    |            \-- its pages are moved /                                  |
 *    \---- no page left ---------------/-------------------- no page left ---/
 *
 * It has a buffer in memory until it is FILED, and then as long as somebody reads it
 * there. Its number says where it goes in the file. There are no more clusters at a time
 * than the disk has room for (backed_clusters), or else the memory: so who fills up the
 * file or the disk is told when there is no number left, and not later, when nothing could
 * be moved any more. A cluster whose number has no room on the disk stays in memory.
 */
enum vmsi_cluster_state {
	VMSI_CLUSTER_FREE,
	VMSI_CLUSTER_OPEN,
	VMSI_CLUSTER_SEALED,
	VMSI_CLUSTER_WRITING,
	VMSI_CLUSTER_VICTIM, /* in memory, while its pages are moved; not in the queue */
	VMSI_CLUSTER_FILED,
};

#define VMSI_NONE UINT32_MAX

struct vmsi_cluster {
	uint64_t sequence; /* no other cluster of this run has it */
	uint32_t next, previous; /* in the queue; next: in the list of those that are free */
	uint32_t fill; /* bytes that have objects */
	uint32_t live; /* of them, those whose places still have them */
	uint32_t buffer; /* VMSI_NONE: only in the file */
	uint32_t memory_readers, file_readers;
	uint8_t state; /* enum vmsi_cluster_state */
	bool is_collected; /* while its pages are read from the file and moved */
	bool is_bad; /* some of its pages could not be read */
	bool has_failed; /* its latest write */
};

/* A cluster on its way to the file. */
struct vmsi_swap_write {
	struct vmsi_io_request request;
	struct vmsi_swap *swap;
	uint32_t cluster;
	bool is_used;
};

/* What clusters are filled with: what is put, and what is moved out of others. */
enum vmsi_filling { VMSI_FILL_PUT, VMSI_FILL_MOVE, VMSI_FILLINGS };

#define VMSI_SWAP_SCRATCHES 4u
#define VMSI_SWAP_WRITES 4u

/* A buffer that is free has where the next one is in its first bytes. */
struct vmsi_free_buffer {
	struct vmsi_free_buffer *next;
};

/* So many buffers there must be, and are never given up for records. */
#define VMSI_SWAP_BUFFERS_LEAST 8u

/* So many are kept for moving pages: one to fill, and one to read into. */
#define VMSI_SWAP_BUFFERS_KEPT 2u

struct vmsi_swap {
	/* Constant once it is open. */
	struct vmsi_io *io;
	bool (*is_alone)(void); /* may be NULL */
	size_t page_bytes, cluster_bytes, ram_most, fixed_bytes;
	size_t scratch_bytes, state_bytes; /* state_bytes of a scratch are the codec's */
	enum vmsi_swap_codec codec;
	int level;
	int fd; /* -1: no file */
	uint32_t cluster_count, buffer_count;
	uint64_t place_count;
	uint64_t *places;
	uint64_t *retired; /* a bit for each buffer whose memory was given up */
	struct vmsi_cluster *clusters;
	char *buffers, *scratches;
	uintptr_t area; /* all of these, which no child of fork gets */
	size_t area_bytes;

	struct vmsi_lock lock; /* guards the rest, the words of places and the clusters */
	_Atomic uint32_t bell; /* changes when who sleeps shall look again */
	unsigned sleepers;
	bool is_forked;
	size_t ram_bytes;

	uint64_t fresh_place; /* from here on none was ever used */
	uint64_t free_place;  /* plus one; 0: none */

	uint32_t fresh_cluster, free_cluster, free_clusters;
	uint32_t backed_clusters; /* those below have room on the disk */
	bool is_backing; /* somebody is asking the disk for more */
	uint32_t first, last; /* the queue of SEALED, from the oldest */
	uint32_t open[VMSI_FILLINGS];
	uint64_t sequence; /* of the latest cluster; the first is another one in each run */

	uint32_t fresh_buffer, retired_buffers, free_buffers;
	struct vmsi_free_buffer *free_buffer;
	uint32_t filed;
	unsigned lingering; /* clusters that are FILED and have a buffer */

	struct vmsi_swap_write writes[VMSI_SWAP_WRITES];
	unsigned writing;
	uint64_t failures; /* writes that have failed */
	int write_error;   /* of the latest */

	bool is_collecting;
	bool has_bad; /* some cluster is_bad */
	uint32_t hand; /* where the next cluster to be collected is looked for */

	unsigned scratches_used; /* a bit for each */
	unsigned putters;        /* of them, those of put */

	struct vmsi_swap_figures figures; /* what is counted in passing */
};

/* Whether this thread must begin no other. */
static inline bool vmsi_swap_is_alone(const struct vmsi_swap *swap)
{
	return swap->is_alone && swap->is_alone();
}

/* Sleep until the bell rings. Under the lock, which is not held meanwhile. */
void vmsi_swap_sleep(struct vmsi_swap *swap);

/* Call all that sleep. Under the lock. */
void vmsi_swap_ring_bell(struct vmsi_swap *swap);

#endif
