/* SPDX-License-Identifier: MIT */
#include "pool/pool.h"
#include "pool/sort.h"
#include "pool/write.h"
#include "space/inside.h"

/* vms_pool_flush. */

/* --- a flush ------------------------------------------------------------------------------------- */

/* Pages that are sorted together. */
#define GATHER_MOST 2048

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

/* Without a lock: who has the page may need one to go on. */
static void wait_for_writer(struct vms_pool *pool, uint64_t page)
{
	uint64_t *word = vmsi_pool_word(pool, page);
	const uint64_t seen = vmsi_word_load(word);

	if (vmsi_word_lock(seen) >= VMSI_WORD_READERS)
		vmsi_word_wait(word, seen);
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

/* Write pages, and those again that somebody was changing just then. */
static int write_pages(struct flush *flush, const uint64_t *pages, size_t count)
{
	struct vmsi_batch batch = { .count = count };
	struct vmsi_outcome written;
	int error;

	for (size_t i = 0; i < count; i++)
		batch.pages[i] = pages[i];
	for (;;) {
		error = vmsi_write_batch(flush->pool, &batch, &written);
		if (!error)
			error = note_written(flush, &written);
		if (error || !written.again)
			return error;
		batch.count = written.again;
		wait_for_writer(flush->pool, batch.pages[0]);
	}
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
	uint32_t number = 0, end;
	int error = 0;

	vmsi_lock_acquire(&pool->lock);
	end = pool->made;
	vmsi_lock_release(&pool->lock);
	flush->most = flush->progress ? count_wanted(flush, end) : 0;
	while (!error && number < end) {
		size_t count;

		number = gather(flush, number, end, pages, &count);
		error = write_gathered(flush, pages, count);
	}
	return error;
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

	if (!error && !vmsi_pool_has(pool, VMS_POOL_READ_ONLY)) {
		error = write_all(&flush);
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
