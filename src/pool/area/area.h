/* SPDX-License-Identifier: MIT */
#ifndef VMSI_POOL_AREA_AREA_H
#define VMSI_POOL_AREA_AREA_H

#include "pool/area/format.h"
#include "pool/store.h"

/*
 * The area of a pool with VMS_POOL_WHOLE_PAGES: a file that has each batch of pages,
 * durably, before any of them is written to its place in the pool's file. A page that
 * was torn there is written once more from the area when the pool is opened next.
 *
 *             put                         the file is synced
 *   FREE -----------> PENDING: in the area ------------------> FREE
 *                       |  ^ the images are written once more
 *    the file could     v  |
 *    not be written    FAILED
 *
 * Batches have numbers in their order, and places are used in turn: so those that are
 * pending are the last ones, up to sequence, from settled on. Of a page that several of
 * them have, the last one has the latest image, and no batch that is gone has a later
 * one. That is why recovery may write them all, in order, whatever the file has.
 *
 * A page that could not be written may be torn by that. The area does not forget its image
 * before it is in the file, though a later one may be on its way.
 *
 * All under write_lock, but for opening and closing.
 */
struct vmsi_area {
	int fd;               /* -1: none */
	bool is_read_only;
	struct vmsi_area_header header;
	uint64_t sequence;    /* of the last batch that is in it; 0: none */
	uint64_t settled;     /* of the last one that it need not have any more */
	uint64_t failed;      /* the last batch of which a page could not be written; 0: none */
	uint64_t mended;      /* pages that were not whole, or older, when it was opened */
};

/* How many batches there is room for. */
#define VMSI_AREA_PLACES 16u

/*
 * Open or make the area at a path, and lock it. The child of a fork that comes meanwhile
 * would keep the lock. Returns 0 or -errno, as vms_pool_open has it.
 */
int vmsi_area_take(struct vmsi_area *area, const char *path, const struct vmsi_store *store,
		   unsigned flags);

/*
 * What an area that was taken has for the file is written there, and made durable; then it
 * is empty. Returns 0; -errno as vms_pool_open has it, and it is closed.
 */
int vmsi_area_open(struct vmsi_area *area, const char *path, struct vmsi_store *store);

/*
 * Make room for batches of such a size. Nothing may be put before. Returns 0 or -errno.
 */
int vmsi_area_begin(struct vmsi_area *area, size_t page_size, size_t batch_pages);

/*
 * The pool is closed, and the file was synced since the last batch was written there:
 * nothing of the area is needed any more.
 */
void vmsi_area_end(struct vmsi_area *area);

/* Let go of it. What it has stays, unless vmsi_area_end was called. */
void vmsi_area_close(struct vmsi_area *area);

/*
 * In the child of a fork: it is the parent's. The descriptor would keep it locked when the
 * parent has ended.
 */
void vmsi_area_forked(struct vmsi_area *area);

static inline bool vmsi_area_is_used(const struct vmsi_area *area)
{
	return area->fd >= 0 && !area->is_read_only;
}

/*
 * Whether there is no room for a batch before the file is synced. One place is never
 * pending: the one that a batch is put into, so that one that was torn there is no loss.
 */
static inline bool vmsi_area_is_full(const struct vmsi_area *area)
{
	return area->sequence - area->settled + 1 >= area->header.places;
}

/* Whether batches are in it that the file may have in part. */
static inline bool vmsi_area_is_pending(const struct vmsi_area *area)
{
	return area->sequence != area->settled;
}

/* A page of a batch that was put could not be written to the file. */
static inline void vmsi_area_note_failure(struct vmsi_area *area)
{
	if (vmsi_area_is_used(area))
		area->failed = area->sequence;
}

/*
 * Have the file have all that is pending, where some of it could not be written. Returns
 * 0 or -errno; only after a 0 may the file be synced to settle. It takes the memory of two
 * pages meanwhile.
 */
int vmsi_area_write_failed(struct vmsi_area *area, struct vmsi_store *store);

/*
 * The file has all batches up to one, and was synced when that was so. Others may have come
 * meanwhile.
 */
static inline void vmsi_area_settle(struct vmsi_area *area, uint64_t last)
{
	area->settled = last;
}

/*
 * Put a batch into the area, and make it durable there. It is not full. head has room for
 * a head, and the images follow behind VMSI_AREA_HEAD_BYTES. Returns 0; -errno, and the
 * batch must not be written to the file.
 */
int vmsi_area_put(struct vmsi_area *area, struct vmsi_area_head *head,
		  const uint64_t *pages, size_t count);

#endif
