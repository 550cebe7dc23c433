/* SPDX-License-Identifier: MIT */
#include "pool/aside/settle.h"

#include "pool/flight.h"
#include "pool/miss.h"
#include "pool/plain/shield.h"
#include "pool/slots.h"
#include "pool/write/sort.h"

/*
 * Pages that were put aside before they were committed come home. They are brought in, and
 * written as those that never left. They are looked for by their numbers, from the first to
 * the last, when all that was dirty in a slot has been looked at: a page that leaves its
 * slot meanwhile is aside by then, and one that is aside stays so until it is in the file.
 */

/* Pages that are found together. */
#define TOGETHER ((size_t)64)

struct settling {
	struct vms_pool *pool;
	uint64_t lsn;
	vmsi_settle_note note;
	void *context;
	struct vmsi_outcome written;   /* of the batch */
	bool has_failed;               /* the file has not taken a page */
};

/* --- which ------------------------------------------------------------------------------------- */

static bool is_committed(const struct vms_pool *pool, uint64_t last_lsn)
{
	return last_lsn <= atomic_load(&pool->durable);
}

/* Whether a page is to come home. One that must not yet is told. Under write_lock. */
static bool is_wanted(struct settling *settling, uint64_t page)
{
	struct vms_pool *pool = settling->pool;
	const struct vmsi_aside_record *record;

	record = vmsi_aside_record(&pool->store.aside, page);
	if (!record)
		return false;
	if (record->first_lsn > settling->lsn && record->first_lsn != VMSI_NO_LSN)
		return false;
	if (is_committed(pool, record->last_lsn))
		return true;
	settling->written.not_durable++;
	return false;
}

static size_t together(struct vms_pool *pool)
{
	size_t most;

	vmsi_latch_acquire(&pool->lock);
	most = pool->limit / 8;
	vmsi_latch_release(&pool->lock);
	return vmsi_max(vmsi_min(vmsi_min(most, pool->staging_pages), TOGETHER), 1);
}

/* Note some from a page on. Returns where to go on. */
static uint64_t gather(struct settling *settling, uint64_t page, struct vmsi_batch *batch)
{
	struct vms_pool *pool = settling->pool;
	const size_t most = together(pool);
	const uint64_t end = vmsi_pool_count(pool);

	batch->count = 0;
	vmsi_lock_acquire(&pool->write_lock);
	while (page < end && batch->count < most) {
		const uint64_t next = vmsi_room_next_touched(pool, page);

		if (next != page) {
			page = next;
			continue;
		}
		if (is_wanted(settling, page))
			batch->pages[batch->count++] = page;
		page++;
	}
	vmsi_lock_release(&pool->write_lock);
	return page;
}

/* --- home -------------------------------------------------------------------------------------- */

/*
 * Of a page that is held, so that nobody changes it. true: it is dirty now; false: the
 * file has it, or must not have it.
 */
static bool make_ready(struct settling *settling, uint64_t page)
{
	struct vms_pool *pool = settling->pool;
	uint64_t *word = vmsi_pool_word(pool, page);
	const struct vmsi_page_slot *slot = vmsi_pool_slot(pool, vmsi_word_load(word));

	if (!vmsi_aside_has(&pool->store.aside, page))
		return false;
	if (!is_committed(pool, atomic_load(&slot->last_lsn))) {
		settling->written.not_durable++;
		return false;
	}
	vmsi_word_make_dirty(word);
	return true;
}

/*
 * Of a page that is in a slot which is lent, and was made dirty, but could not be written: it
 * is aside still, and has not been changed, since it is held.
 */
static void make_lent_again(struct vms_pool *pool, uint64_t page)
{
	uint64_t *word = vmsi_pool_word(pool, page);
	uint64_t seen;

	while ((seen = vmsi_word_load(word)) & VMSI_WORD_WRITING)
		vmsi_word_wait(word, seen);
	if (seen & VMSI_WORD_LENT && vmsi_aside_has(&pool->store.aside, page))
		vmsi_word_make_clean(word);
}

static void let_go(struct vms_pool *pool, uint64_t page)
{
	uint64_t *word = vmsi_pool_word(pool, page);

	/* Of a page that plain pointers store to the bit says something else. */
	if (pool->lent_most && vmsi_word_load(word) & VMSI_WORD_LENT)
		make_lent_again(pool, page);
	(void)vmsi_word_unlock(word, pool->view.version_shift);
}

/* As long as one is left that a store is just let in to: that changes no number. */
static int write_ready(struct settling *settling, struct vmsi_batch *held)
{
	struct vmsi_outcome *sum = &settling->written, written;
	int error = 0;

	while (held->count && !error) {
		(void)vmsi_word_wait_for_turn(vmsi_pool_word(settling->pool, held->pages[0]));
		error = vmsi_write_batch(settling->pool, held, &written);
		held->count = written.again;
		sum->written += written.written;
		sum->clean += written.clean;
		sum->not_durable += written.not_durable;
		sum->failed += written.failed;
		if (!sum->error)
			sum->error = written.error;
	}
	return error;
}

/* Signals are let in meanwhile, and nothing is held. */
static int tell(struct settling *settling)
{
	struct vmsi_shield *shield = vmsi_shield_pause();
	const int error = settling->note(settling->context, &settling->written);

	vmsi_shield_resume(shield);
	return error;
}

/* Write pages that are held and ready, and let them go. */
static int write_held(struct settling *settling, struct vmsi_batch *held)
{
	const struct vmsi_batch pages = *held;
	const size_t not_durable = settling->written.not_durable;
	int error;

	settling->written = (struct vmsi_outcome){ .not_durable = not_durable };
	error = write_ready(settling, held);
	for (size_t i = 0; i < pages.count; i++)
		let_go(settling->pool, pages.pages[i]);
	settling->has_failed |= settling->written.failed != 0;
	if (!error)
		error = tell(settling);
	settling->written.not_durable = 0;
	return error;
}

/* One that somebody has, or that there was no room for: nothing else is held meanwhile. */
static int settle_one(struct settling *settling, uint64_t page)
{
	struct vms_pool *pool = settling->pool;
	struct vmsi_batch held = { .count = 0 };
	uint64_t word;
	const int error = vmsi_hold_page(pool, page, VMSI_READ, &word);

	/* Where the file takes nothing there will be no room for the next one either. */
	if (error && settling->has_failed)
		return error;
	if (error) {
		/* Of reading it: the others shall come home all the same. */
		settling->written.failed++;
		settling->written.error = error == -EAGAIN ? -EIO : error;
		return tell(settling);
	}
	if (make_ready(settling, page))
		held.pages[held.count++] = page;
	else
		let_go(pool, page);
	return write_held(settling, &held);
}

/* While several are held nothing is waited for but the disk. */
static int settle_some(struct settling *settling, const struct vmsi_batch *batch)
{
	struct vms_pool *pool = settling->pool;
	struct vmsi_batch held = { .count = 0 }, others = { .count = 0 };
	int error;

	vmsi_flight_read(pool, batch->pages, batch->count);
	for (size_t i = 0; i < batch->count; i++) {
		const uint64_t page = batch->pages[i];
		uint64_t seen;

		if (vmsi_word_try(vmsi_pool_word(pool, page), VMSI_READ, &seen) !=
		    VMSI_WORD_GOT)
			others.pages[others.count++] = page;
		else if (make_ready(settling, page))
			held.pages[held.count++] = page;
		else
			let_go(pool, page);
	}
	error = write_held(settling, &held);
	for (size_t i = 0; i < others.count && !error; i++)
		error = settle_one(settling, others.pages[i]);
	return error;
}

int vmsi_settle(struct vms_pool *pool, uint64_t lsn, vmsi_settle_note note, void *context)
{
	struct settling settling = {
		.pool = pool,
		.lsn = lsn,
		.note = note,
		.context = context,
	};
	uint64_t page = 0;
	int error = 0;

	while (!error && page < vmsi_pool_count(pool)) {
		struct vmsi_batch batch;
		struct vmsi_shield shield;

		vmsi_shield_raise(pool, &shield);
		page = gather(&settling, page, &batch);
		error = settle_some(&settling, &batch);
		vmsi_shield_lower(&shield);
	}
	return error;
}
