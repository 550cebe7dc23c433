/* SPDX-License-Identifier: MIT */
#include "pool/evict/leave.h"

#include "base/mman.h"
#include "host/host.h"
#include "pool/slots.h"
#include "pool/write/sort.h"

/* --- memory ----------------------------------------------------------------------------------------- */

/* The ranges of the pages, which are sorted, joined. Returns how many. */
static int join(const struct vms_pool *pool, const struct vmsi_leaving *leaving,
		struct iovec *parts)
{
	int count = 0;

	for (size_t i = 0; i < leaving->count; i++) {
		char *start = vmsi_pool_at(pool, leaving->pages[i].page, 0);

		if (count && start == (char *)parts[count - 1].iov_base +
				parts[count - 1].iov_len)
			parts[count - 1].iov_len += pool->page_size;
		else
			parts[count++] = (struct iovec){ start, pool->page_size };
	}
	return count;
}

static bool drops_many(const struct vms_pool *pool)
{
	return !vmsi_pool_has(pool, VMS_POOL_TRANSPARENT) ||
		vmsi_pager_takes_many(&pool->pager);
}

/*
 * Whether a page that the host has not dropped is there as before. One that comes by faults
 * is, where it is one page of the host: nobody could read it again to its place. What is
 * left of another is taken away when it is brought again.
 */
static bool is_still_there(struct vms_pool *pool, uint64_t page)
{
	bool was_read;

	if (vmsi_pool_has(pool, VMS_POOL_TRANSPARENT))
		return pool->page_size == vmsi_page_size();
	return vmsi_store_read(&pool->store, vmsi_pool_at(pool, page, 0), pool->page_size,
			       page << pool->view.page_shift, &was_read) == 0;
}

/*
 * What the host refuses to drop as a range is dropped page by page. A page that it does not
 * drop even so stays; it is read again, since the host may have dropped some of it.
 */
static int drop_each(struct vms_pool *pool, struct vmsi_leaving *leaving, size_t place,
		     size_t end)
{
	int error = 0;

	for (; place < end; place++) {
		struct vmsi_leaver *leaver = &leaving->pages[place];
		const int result = vmsi_room_drop_memory(pool, leaver->page);

		if (result < 0)
			error = result == -EAGAIN ? -ENOMEM : result;
		leaver->stays = result < 0 && is_still_there(pool, leaver->page);
	}
	return error;
}

/*
 * Drop the memory of ranges: by one call, so that other processors are interrupted once,
 * or by one a range.
 */
static int drop_memory(struct vms_pool *pool, struct vmsi_leaving *leaving)
{
	struct iovec parts[VMSI_EVICT_BATCH];
	size_t page = 0;
	int count, error = 0;

	if (!leaving->count)
		return 0;
	count = join(pool, leaving, parts);
	if (drops_many(pool) && vmsi_host.madvise_many(parts, count, MADV_DONTNEED) ==
	    (long)(leaving->count * pool->page_size))
		return 0;
	for (int i = 0; i < count; i++) {
		const size_t end = page + parts[i].iov_len / pool->page_size;
		const uintptr_t start = (uintptr_t)parts[i].iov_base;
		const struct vmsi_range range = { start, start + parts[i].iov_len };

		if (vmsi_room_drop_range(pool, range) < 0)
			error = drop_each(pool, leaving, page, end);
		page = end;
	}
	return error;
}

/* --- those that are dirty ------------------------------------------------------------------------- */

/* The dirty pages of those that leave. Returns how many. */
static size_t dirty_pages(const struct vmsi_leaving *leaving, uint64_t *pages)
{
	size_t count = 0;

	for (size_t i = 0; i < leaving->count; i++)
		if (leaving->pages[i].is_dirty)
			pages[count++] = leaving->pages[i].page;
	return count;
}

/* All dirty pages but so many, the first ones, stay, and are to be written. */
static void let_stay(struct vms_pool *pool, struct vmsi_leaving *leaving, size_t gone,
		     struct vmsi_batch *dirty)
{
	size_t kept = 0, seen = 0;

	for (size_t i = 0; i < leaving->count; i++) {
		const struct vmsi_leaver leaver = leaving->pages[i];

		if (!leaver.is_dirty || seen++ < gone) {
			leaving->pages[kept++] = leaver;
			continue;
		}
		vmsi_word_renew(vmsi_pool_word(pool, leaver.page),
				pool->view.version_shift);
		if (!vmsi_batch_is_full(dirty))
			dirty->pages[dirty->count++] = leaver.page;
	}
	leaving->stayed += leaving->count - kept;
	leaving->count = kept;
}

static void note_what_stays(struct vmsi_leaving *leaving, const bool *stays)
{
	size_t seen = 0;

	for (size_t i = 0; i < leaving->count; i++)
		if (leaving->pages[i].is_dirty)
			leaving->pages[i].stays = stays[seen++];
}

static void read_what_stays(const struct vmsi_leaving *leaving, bool *stays)
{
	size_t seen = 0;

	for (size_t i = 0; i < leaving->count; i++)
		if (leaving->pages[i].is_dirty)
			stays[seen++] = leaving->pages[i].stays;
}

/* Drop memory, of which some is dirty. */
static int drop_by_outlet(struct vms_pool *pool, struct vmsi_leaving *leaving,
			  struct vmsi_batch *dirty)
{
	uint64_t pages[VMSI_EVICT_BATCH];
	bool stays[VMSI_EVICT_BATCH];
	const size_t count = dirty_pages(leaving, pages);
	int problem, error;
	size_t gone;

	vmsi_lock_acquire(&pool->write_lock);
	gone = vmsi_outlet_begin(pool, pages, count, &problem);
	if (gone < count)
		let_stay(pool, leaving, gone, dirty);
	error = drop_memory(pool, leaving);
	read_what_stays(leaving, stays);
	vmsi_outlet_end(pool, pages, gone, stays);
	note_what_stays(leaving, stays);
	vmsi_lock_release(&pool->write_lock);
	return error ? error : problem;
}

/* --- all ------------------------------------------------------------------------------------------- */

int vmsi_evict_leave(struct vms_pool *pool, struct vmsi_leaving *leaving,
		     struct vmsi_batch *dirty)
{
	int error, left = 0;

	vmsi_sort(leaving->pages, leaving->count, sizeof(leaving->pages[0]));
	error = leaving->dirty ? drop_by_outlet(pool, leaving, dirty) :
				 drop_memory(pool, leaving);

	for (size_t i = 0; i < leaving->count; i++) {
		uint64_t *word = vmsi_pool_word(pool, leaving->pages[i].page);

		if (leaving->pages[i].stays)
			vmsi_word_renew(word, pool->view.version_shift);
		else
			vmsi_word_drop(word, pool->view.version_shift);
	}
	vmsi_latch_acquire(&pool->lock);
	for (size_t i = 0; i < leaving->count; i++)
		if (!leaving->pages[i].stays) {
			vmsi_room_give(pool, leaving->pages[i].slot);
			left++;
		}
	pool->evictions -= leaving->stayed + leaving->count - (size_t)left;
	vmsi_latch_release(&pool->lock);
	return left ? left : error;
}
