/* SPDX-License-Identifier: MIT */
#include "pool/aside/spill.h"

#include "host/host.h"
#include "pool/slots.h"
#include "pool/write/copy.h"

/*
 * Pages that are put aside. It is as with those that are written (write.c): a copy is made
 * of each, and the page is WRITING until the copy is in the store. write_lock is held
 * throughout.
 */

/* --- which --------------------------------------------------------------------------------------- */

static bool is_memory(const struct vms_pool *pool)
{
	return pool->store.kind == VMSI_STORE_MEMORY;
}

/* What the file may have is written there. */
static bool may_be_in_file(const struct vms_pool *pool, const struct vmsi_page_slot *slot)
{
	return !is_memory(pool) &&
		atomic_load(&slot->last_lsn) <= atomic_load(&pool->durable);
}

static void note_not_copied(struct vmsi_outcome *written, int error)
{
	if (error == -EBUSY) {
		written->again++;
		return;
	}
	written->failed++;
	written->error = error;
}

static void copy_page(struct vms_pool *pool, struct vmsi_copies *copies, uint64_t page,
		      struct vmsi_outcome *written)
{
	uint64_t *word = vmsi_pool_word(pool, page);
	struct vmsi_page_slot *slot;
	uint64_t seen;
	int error;

	switch (vmsi_word_hold_dirty(word, &seen)) {
	case VMSI_WORD_HELD:
		written->again++;
		return;
	case VMSI_WORD_ABSENT:
		written->clean++;
		return;
	case VMSI_WORD_GOT:
		break;
	}
	slot = vmsi_pool_slot(pool, seen);
	if (may_be_in_file(pool, slot)) {
		(void)vmsi_word_unlock(word, pool->view.version_shift);
		written->again++;
		return;
	}
	error = vmsi_copy_begin(pool, page, seen,
				pool->staging + copies->count * pool->page_size);
	if (error) {
		note_not_copied(written, error);
		return;
	}
	copies->lsns[copies->count] = (struct vmsi_aside_record){
		.first_lsn = atomic_exchange(&slot->first_lsn, VMSI_NO_LSN),
		.last_lsn = atomic_load(&slot->last_lsn),
	};
	copies->pages[copies->count++] = page;
	vmsi_copy_end(pool, page);
}

/* Of the slots: those whose pages may have doubles even if the store is full. */
#define KEPT_PART 8

/* --- room in the store ------------------------------------------------------------------------------ */

/* Make a page of a slot dirty, which is aside; false: it is not for certain in the slot. */
static bool must_be_put_again(struct vms_pool *pool, uint64_t page, uint32_t number)
{
	uint64_t *word = vmsi_pool_word(pool, page);
	uint64_t seen = vmsi_word_load(word);

	do {
		if (!(seen & VMSI_WORD_RESIDENT) ||
		    vmsi_word_slot(seen, pool->view.version_shift) != number ||
		    vmsi_word_lock(seen) == VMSI_WORD_BUSY)
			return false;
		if (seen & (VMSI_WORD_DIRTY | VMSI_WORD_WRITING))
			return true;
		/* It would be dirty, in a slot that is for others to read in. */
		if (vmsi_word_is_lent(seen))
			return false;
	} while (!vmsi_word_swap(word, &seen, seen | VMSI_WORD_DIRTY));
	return true;
}

/*
 * The store is full: what it has of pages that are in RAM, too, is given up, but of some
 * pages, so that these can leave. The others cannot, without being put aside again, for
 * which this thread has the lock. Returns whether any was given up.
 */
static bool give_up_doubles(struct vms_pool *pool)
{
	uint32_t made, kept;
	bool any = false;

	vmsi_latch_acquire(&pool->lock);
	made = pool->made;
	kept = pool->limit / KEPT_PART;
	vmsi_latch_release(&pool->lock);
	for (uint32_t number = 0; number < made; number++) {
		const uint64_t page = atomic_load(&pool->slots[number].page);

		if (page == VMSI_NO_PAGE || !vmsi_aside_has(&pool->store.aside, page))
			continue;
		if (kept && vmsi_word_can_leave(vmsi_word_load(vmsi_pool_word(pool, page)))) {
			kept--;
			continue;
		}
		if (!must_be_put_again(pool, page, number))
			continue;
		vmsi_aside_drop(&pool->store.aside, page);
		any = true;
	}
	return any;
}

/* --- to put ------------------------------------------------------------------------------------------- */

/* The records of places count, before there can be one more. Returns 0 or -ENOMEM. */
static int charge_records(struct vms_pool *pool, size_t count)
{
	size_t bytes;
	int error;

	if (!pool->store.aside.records)
		return 0;
	bytes = vmsi_align_up((vmsi_swap_places(pool->store.aside.swap) + count) *
			      sizeof(struct vmsi_aside_record), vmsi_page_size());
	if (bytes <= pool->records_bytes)
		return 0;
	error = vmsi_room_charge_bytes(pool, bytes - pool->records_bytes);
	if (!error)
		pool->records_bytes = bytes;
	return error;
}

/* Put the copies from one on. Returns how many are aside then. */
static size_t put(struct vms_pool *pool, const struct vmsi_copies *copies, size_t from,
		  int *error)
{
	const size_t count = copies->count - from;

	*error = count ? charge_records(pool, count) : 0;
	if (*error || !count)
		return from;
	return from + vmsi_aside_put(&pool->store.aside, &copies->pages[from],
				     pool->staging + from * pool->page_size,
				     &copies->lsns[from], count, error);
}

/* The numbers of changes that the file does not have are still those of the page. */
static void end_page(struct vms_pool *pool, const struct vmsi_copies *copies, size_t i,
		     bool is_aside)
{
	vmsi_write_take_back(pool, copies->pages[i], copies->lsns[i].first_lsn);
	vmsi_word_end_writing(vmsi_pool_word(pool, copies->pages[i]), !is_aside);
}

static void put_copies(struct vms_pool *pool, const struct vmsi_copies *copies,
		       struct vmsi_outcome *written)
{
	int error;
	size_t ended = 0, done = put(pool, copies, 0, &error);

	/* Those that are aside by now are doubles themselves. */
	while (ended < done)
		end_page(pool, copies, ended++, true);
	written->is_full = error == -ENOSPC;
	if (written->is_full && is_memory(pool) && give_up_doubles(pool))
		done = put(pool, copies, done, &error);
	for (; ended < copies->count; ended++)
		end_page(pool, copies, ended, ended < done);
	written->written += done;
	written->failed += copies->count - done;
	if (error)
		written->error = error;
	vmsi_pool_add(&pool->pages_aside, done);
	vmsi_pool_add(&pool->write_errors, copies->count - done);
}

/* Pages that the file may have are left out. */
static void put_batch(struct vms_pool *pool, const struct vmsi_batch *batch,
		      struct vmsi_outcome *written)
{
	struct vmsi_copies *copies = pool->copies;

	vmsi_lock_acquire(&pool->write_lock);
	copies->count = 0;
	for (size_t i = 0; i < batch->count; i++)
		copy_page(pool, copies, batch->pages[i], written);
	put_copies(pool, copies, written);
	vmsi_lock_release(&pool->write_lock);
}

/* --- calls --------------------------------------------------------------------------------------------- */

/* The file comes first; what it must not have goes aside. */
static int write_or_put(struct vms_pool *pool, struct vmsi_batch *batch,
			struct vmsi_outcome *written)
{
	const struct vmsi_batch all = *batch;
	struct vmsi_outcome aside = { .written = 0 };
	const int error = vmsi_write_batch(pool, batch, written);

	if (error || !written->not_durable || !pool->store.aside.swap)
		return error;
	put_batch(pool, &all, &aside);
	written->written += aside.written;
	written->failed += aside.failed;
	if (!written->error)
		written->error = aside.error;
	return 0;
}

int vmsi_spill_batch(struct vms_pool *pool, struct vmsi_batch *batch,
		     struct vmsi_outcome *written)
{
	if (!is_memory(pool))
		return write_or_put(pool, batch, written);
	*written = (struct vmsi_outcome){ .written = 0 };
	vmsi_write_order(batch);
	put_batch(pool, batch, written);
	return 0;
}
