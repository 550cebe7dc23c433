/* SPDX-License-Identifier: MIT */
#include "pool/aside/settle.h"
#include "pool/plain/shield.h"
#include "pool/pool.h"
#include "pool/slots.h"
#include "pool/write/sort.h"
#include "pool/write/write.h"
#include "space/inside.h"

/* vms_pool_flush. */

/* --- what is to be written ------------------------------------------------------------------------ */

/* Pages that are sorted together, where they are not found in their order. */
#define GATHER_MOST 2048

/*
 * Pages are looked for by their words, in the order of the file, unless these are so many
 * times as many as slots: then by the slots, whose pages are in no order.
 */
#define WORDS_A_SLOT 64

/* How often pages are tried together that somebody has or changes. */
#define TRIES_TOGETHER 3

struct flush {
	struct vms_pool *pool;
	uint64_t lsn;
	vms_pool_progress progress;
	void *context;
	uint64_t end;        /* pages or slots that there were when it began */
	bool is_by_slots;
	uint64_t done;       /* pages that were written, or were found clean */
	uint64_t most;
	bool is_held_back;   /* by a log that is not durable */
	int error;           /* of a page that could not be written */
};

/* Whether a page has a change that is to be written. */
static bool is_wanted(const struct flush *flush, uint64_t page)
{
	const struct vms_pool *pool = flush->pool;
	const uint64_t word = vmsi_word_load(vmsi_pool_word(pool, page));
	uint64_t first;

	if (vmsi_word_is_coming_dirty(word))
		return true;
	if (!(word & (VMSI_WORD_DIRTY | VMSI_WORD_WRITING)) ||
	    !(word & VMSI_WORD_RESIDENT))
		return false;
	/* While a copy of it is being written its first number is not there to be seen. */
	first = atomic_load(&vmsi_pool_slot(pool, word)->first_lsn);
	return (word & VMSI_WORD_WRITING) || first <= flush->lsn || first == VMSI_NO_LSN;
}

/*
 * Note up to so many pages, or all that are there with pages NULL, from a page or a slot
 * on; returns where to go on.
 */
static uint64_t gather(const struct flush *flush, uint64_t from, uint64_t *pages,
		       size_t most, size_t *count)
{
	const struct vms_pool *pool = flush->pool;

	for (*count = 0; from < flush->end && *count < most; from++) {
		const uint64_t next = flush->is_by_slots ? from :
			vmsi_room_next_touched(pool, from);
		uint64_t page = from;

		if (next != from) {
			from = next - 1;
			continue;
		}
		if (flush->is_by_slots)
			page = atomic_load(&pool->slots[from].page);
		if (page == VMSI_NO_PAGE || !is_wanted(flush, page))
			continue;
		if (pages)
			pages[*count] = page;
		++*count;
	}
	return from;
}

static uint64_t count_wanted(const struct flush *flush)
{
	size_t count;

	(void)gather(flush, 0, NULL, SIZE_MAX, &count);
	return count;
}

/* --- to write it ----------------------------------------------------------------------------------- */

static int note_written(struct flush *flush, const struct vmsi_outcome *written)
{
	flush->done += written->written + written->clean;
	flush->is_held_back |= written->not_durable != 0;
	if (!flush->error)
		flush->error = written->error;
	if (flush->progress &&
	    flush->progress(flush->context, flush->done,
			    flush->done > flush->most ? flush->done : flush->most) != 0)
		return -ECANCELED;
	return 0;
}

/* The disk is busy with what the page cache got while the next batch is copied. */
static void begin_sync(struct vms_pool *pool, uint64_t first, uint64_t last)
{
	const unsigned shift = pool->view.page_shift;

	if (!vmsi_pool_has(pool, VMS_POOL_DIRECT))
		vmsi_store_begin_sync(&pool->store, first << shift, (last - first + 1) << shift);
}

/*
 * As a reader, without a lock: who has the page may need one to go on. A store that is just
 * let in is waited for, since the page would not be written.
 */
static enum vmsi_word_answer hold_if_there(struct vms_pool *pool, uint64_t page)
{
	uint64_t *word = vmsi_pool_word(pool, page);
	enum vmsi_word_answer answer;
	uint64_t seen;

	do {
		(void)vmsi_word_wait_for_turn(word);
		answer = vmsi_word_try(word, VMSI_READ, &seen);
		if (answer == VMSI_WORD_HELD)
			vmsi_word_wait(word, seen);
	} while (answer == VMSI_WORD_HELD);
	return answer;
}

/*
 * Write a page that is changed all the time: whenever its log was made durable it had a
 * later number. It is held while its log is made durable. What is not there is clean.
 */
static int write_held(struct flush *flush, uint64_t page)
{
	struct vmsi_batch batch = { .pages = { page }, .count = 1 };
	struct vmsi_outcome written;
	int error;

	do {
		if (hold_if_there(flush->pool, page) != VMSI_WORD_GOT)
			return 0;
		error = vmsi_write_batch(flush->pool, &batch, &written);
		(void)vms_pool_unfix(flush->pool, page);
		if (!error)
			error = note_written(flush, &written);
	} while (!error && written.again);
	return error;
}

/*
 * Write pages, and those again that somebody was changing just then; a few times together,
 * since a log is made durable for all of them at once.
 */
static int write_pages(struct flush *flush, const uint64_t *pages, size_t count)
{
	struct vmsi_batch batch = { .count = count };
	struct vmsi_outcome written;
	int error;

	for (size_t i = 0; i < count; i++)
		batch.pages[i] = pages[i];
	for (unsigned i = 0; i < TRIES_TOGETHER && batch.count; i++) {
		error = vmsi_write_batch(flush->pool, &batch, &written);
		if (!error)
			error = note_written(flush, &written);
		if (error)
			return error;
		batch.count = written.again;
	}
	for (size_t i = 0; i < batch.count; i++) {
		error = write_held(flush, batch.pages[i]);
		if (error)
			return error;
	}
	begin_sync(flush->pool, pages[0], pages[count - 1]);
	return 0;
}

static int write_gathered(struct flush *flush, uint64_t *pages, size_t count)
{
	const size_t most = flush->pool->staging_pages;

	vmsi_sort(pages, count, sizeof(*pages));
	for (size_t i = 0; i < count; i += most) {
		const int error = write_pages(flush, pages + i,
					      vmsi_min(most, count - i));

		if (error)
			return error;
	}
	return 0;
}

static void begin(struct flush *flush)
{
	struct vms_pool *pool = flush->pool;
	uint64_t words;
	struct vmsi_shield shield;

	vmsi_shield_raise(pool, &shield);
	vmsi_latch_acquire(&pool->lock);
	words = (pool->prepaid_bytes + pool->touched_bytes) / sizeof(uint64_t);
	flush->is_by_slots = words / WORDS_A_SLOT > pool->made;
	flush->end = flush->is_by_slots ? pool->made : vmsi_pool_count(pool);
	vmsi_latch_release(&pool->lock);
	vmsi_shield_lower(&shield);
	flush->most = flush->progress ? count_wanted(flush) : 0;
}

/*
 * One round is enough: what had a change that is wanted when the flush began leaves its
 * slot only after a write.
 */
static int write_all(struct flush *flush)
{
	/* Whole batches, where the pages come in their order. */
	const size_t most = GATHER_MOST / flush->pool->staging_pages *
		flush->pool->staging_pages;
	uint64_t pages[GATHER_MOST], from = 0;
	int error = 0;

	begin(flush);
	while (!error && from < flush->end) {
		size_t count;

		from = gather(flush, from, pages, most, &count);
		error = write_gathered(flush, pages, count);
	}
	return error;
}

static int note_settled(void *flush, const struct vmsi_outcome *written)
{
	return note_written(flush, written);
}

int vms_pool_flush(vms_pool *pool, uint64_t lsn, vms_pool_progress progress,
		   void *context)
{
	struct flush flush = {
		.pool = pool,
		.lsn = lsn,
		.progress = progress,
		.context = context,
	};
	const int earlier = errno;
	int error = vmsi_pool_enter(pool);

	/* Nothing of it is ever durable. */
	if (!error && pool->store.kind == VMSI_STORE_MEMORY)
		error = -EINVAL;
	if (!error && !vmsi_pool_has(pool, VMS_POOL_READ_ONLY)) {
		error = write_all(&flush);
		if (!error && pool->store.aside.swap)
			error = vmsi_settle(pool, lsn, note_settled, &flush);
		if (!error)
			error = flush.error;
		if (!error && flush.is_held_back)
			error = -EAGAIN;
		if (!error)
			error = vmsi_write_sync(pool);
	}
	if (error)
		return vmsi_status(error);
	errno = earlier;
	return 0;
}
