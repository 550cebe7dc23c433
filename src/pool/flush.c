/* SPDX-License-Identifier: MIT */
#include "pool/pool.h"
#include "pool/settle.h"
#include "pool/shield.h"
#include "pool/sort.h"
#include "pool/write.h"
#include "space/inside.h"

/* vms_pool_flush. */

/* --- a flush ------------------------------------------------------------------------------------- */

/* Pages that are sorted together. */
#define GATHER_MOST 2048

/* How often pages are tried together that somebody has or changes. */
#define TRIES_TOGETHER 3

struct flush {
	struct vms_pool *pool;
	uint64_t lsn;
	vms_pool_progress progress;
	void *context;
	uint64_t done;       /* pages that were written, or were found clean */
	uint64_t most;
	bool is_held_back;   /* by a log that is not durable */
	int error;           /* of a page that could not be written */
};

/* Whether a slot's page has a change that is to be written. */
static bool is_wanted(const struct flush *flush, uint32_t number, uint64_t *page)
{
	const struct vms_pool *pool = flush->pool;
	const struct vmsi_page_slot *slot = &pool->slots[number];
	uint64_t word;

	*page = atomic_load(&slot->page);
	if (*page == VMSI_NO_PAGE)
		return false;
	word = vmsi_word_load(vmsi_pool_word(pool, *page));
	if (vmsi_word_is_coming_dirty(word))
		return true;
	if (!(word & (VMSI_WORD_DIRTY | VMSI_WORD_WRITING)) ||
	    !(word & VMSI_WORD_RESIDENT) || vmsi_pool_slot(pool, word) != slot)
		return false;
	/* While a copy of it is being written its first number is not there to be seen. */
	return (word & VMSI_WORD_WRITING) || atomic_load(&slot->first_lsn) <= flush->lsn ||
		atomic_load(&slot->first_lsn) == VMSI_NO_LSN;
}

/* Note up to GATHER_MOST pages from a slot on; returns where to go on. */
static uint32_t gather(const struct flush *flush, uint32_t number, uint32_t end,
		       uint64_t *pages, size_t *count)
{
	for (*count = 0; number < end && *count < GATHER_MOST; number++)
		if (is_wanted(flush, number, &pages[*count]))
			++*count;
	return number;
}

static uint64_t count_wanted(const struct flush *flush, uint32_t end)
{
	uint64_t count = 0, page;

	for (uint32_t number = 0; number < end; number++)
		count += is_wanted(flush, number, &page);
	return count;
}

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

/* As a reader, without a lock: who has the page may need one to go on. */
static enum vmsi_word_answer hold_if_there(struct vms_pool *pool, uint64_t page)
{
	uint64_t *word = vmsi_pool_word(pool, page);
	enum vmsi_word_answer answer;
	uint64_t seen;

	while ((answer = vmsi_word_try(word, VMSI_READ, &seen)) == VMSI_WORD_HELD)
		vmsi_word_wait(word, seen);
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

/*
 * One round of all slots is enough: what had a change that is wanted when the flush began
 * leaves its slot only after a write.
 */
static int write_all(struct flush *flush)
{
	struct vms_pool *pool = flush->pool;
	uint64_t pages[GATHER_MOST];
	struct vmsi_shield shield;
	uint32_t number = 0, end;
	int error = 0;

	vmsi_shield_raise(pool, &shield);
	vmsi_lock_acquire(&pool->lock);
	end = pool->made;
	vmsi_lock_release(&pool->lock);
	vmsi_shield_lower(&shield);
	flush->most = flush->progress ? count_wanted(flush, end) : 0;
	while (!error && number < end) {
		size_t count;

		number = gather(flush, number, end, pages, &count);
		error = write_gathered(flush, pages, count);
	}
	return error;
}

/*
 * After a failed fdatasync nobody knows which pages of those that left are on the disk:
 * nothing can be made good any more.
 */
static int sync_file(struct vms_pool *pool)
{
	struct vmsi_shield shield;
	int error;

	vmsi_shield_raise(pool, &shield);
	vmsi_lock_acquire(&pool->write_lock);
	error = atomic_load(&pool->broken);
	if (!error)
		error = vmsi_store_sync(&pool->store);
	if (error && !atomic_load(&pool->broken))
		atomic_store(&pool->broken, -EIO);
	vmsi_lock_release(&pool->write_lock);
	vmsi_shield_lower(&shield);
	vmsi_pool_add(&pool->syncs, 1);
	return error ? -EIO : 0;
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
			error = sync_file(pool);
	}
	if (error)
		return vmsi_status(error);
	errno = earlier;
	return 0;
}
