/* SPDX-License-Identifier: MIT */
#include "pool/plain/bring.h"

#include <string.h>

/* --- pages are brought ---------------------------------------------------------------------- */

static enum vmsi_stores stores_of(enum vmsi_page_hold hold)
{
	return hold == VMSI_WRITE ? VMSI_STORES_WORK : VMSI_STORES_FAULT;
}

static uintptr_t address_of(const struct vms_pool *pool, uint64_t page)
{
	return (uintptr_t)vmsi_pool_at(pool, page, 0);
}

/*
 * What is aside of pages that are about to be changed is of no use any more. With numbers
 * of a log it tells those of the page until it is in the file.
 */
static void drop_aside(struct vms_pool *pool, uint64_t page, size_t count)
{
	if (pool->store.kind != VMSI_STORE_MEMORY)
		return;
	for (size_t i = 0; i < count; i++)
		vmsi_aside_drop(&pool->store.aside, page + i);
}

int vmsi_bring_landed(struct vms_pool *pool, uint64_t page, struct vmsi_landed landed,
		      enum vmsi_stores stores)
{
	const bool is_open = stores == VMSI_STORES_WORK;
	int error;

	for (size_t i = 0; is_open && i < landed.count; i++)
		vmsi_word_make_dirty(vmsi_pool_word(pool, page + i));
	error = vmsi_pager_bring(&pool->pager, address_of(pool, page),
				 vmsi_landing_at(pool, landed),
				 landed.count << pool->view.page_shift, stores);
	for (size_t i = 0; error && is_open && i < landed.count; i++)
		vmsi_word_make_clean(vmsi_pool_word(pool, page + i));
	if (!error && is_open)
		drop_aside(pool, page, landed.count);
	return error;
}

/* How many from a page on are read by one call: what is aside is read page by page. */
static size_t read_at_once(const struct vms_pool *pool, uint64_t page, size_t most)
{
	const struct vmsi_aside *aside = &pool->store.aside;
	size_t count = 1;

	if (vmsi_aside_has(aside, page))
		return 1;
	while (count < most && !vmsi_aside_has(aside, page + count))
		count++;
	return count;
}

int vmsi_bring_read(struct vms_pool *pool, uint64_t page, struct vmsi_landed landed)
{
	char *to = vmsi_landing_at(pool, landed);
	size_t left = landed.count;
	int error = 0;

	while (left && !error) {
		const size_t count = read_at_once(pool, page, left);

		error = vmsi_pool_read(pool, page, count, to);
		page += count;
		to += count << pool->view.page_shift;
		left -= count;
	}
	return error;
}

int vmsi_bring_page(struct vms_pool *pool, uint64_t page, uint32_t slot,
		    enum vmsi_page_hold hold, uint64_t *word)
{
	const enum vmsi_stores stores = stores_of(hold);
	const struct vmsi_landed landed = vmsi_landing_take(pool, 1);
	int error = vmsi_bring_read(pool, page, landed);

	if (!error)
		error = vmsi_bring_landed(pool, page, landed, stores);
	vmsi_landing_give(pool, landed);
	if (!error)
		*word = vmsi_word_publish_with(vmsi_pool_word(pool, page), slot, hold,
					       vmsi_bring_bits(stores));
	return error;
}

int vmsi_bring_zeroes(struct vms_pool *pool, uint64_t page, uint32_t slot)
{
	const struct vmsi_landed landed = vmsi_landing_take(pool, 1);
	int error;

	memset(vmsi_landing_at(pool, landed), 0, pool->page_size);
	error = vmsi_bring_landed(pool, page, landed, VMSI_STORES_WORK);
	vmsi_landing_give(pool, landed);
	if (!error)
		(void)vmsi_word_publish_with(vmsi_pool_word(pool, page), slot, VMSI_WRITE,
					     vmsi_bring_bits(VMSI_STORES_WORK));
	return error;
}

/* --- stores ------------------------------------------------------------------------------------ */

int vmsi_bring_open(struct vms_pool *pool, uint64_t page)
{
	uint64_t *word = vmsi_pool_word(pool, page);
	const uintptr_t address = address_of(pool, page);
	uint64_t seen = vmsi_word_load(word);
	int error;

	do {
		if (seen & VMSI_WORD_TURNING)
			seen = vmsi_word_wait_for_turn(word);
		if (!(seen & VMSI_WORD_RESIDENT) ||
		    vmsi_word_lock(seen) == VMSI_WORD_BUSY)
			return -EAGAIN;
		if (seen & VMSI_WORD_WRITABLE)
			return 0;
	} while (!vmsi_word_begin_opening(word, &seen));
	error = vmsi_pager_set_stores(&pool->pager,
				      (struct vmsi_range){ address,
							   address + pool->page_size },
				      VMSI_STORES_WORK);
	vmsi_word_end_turn(word, error ? 0 : VMSI_WORD_WRITABLE);
	return error;
}
