/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "pool/aside/lend.h"
#include "pool/miss.h"
#include "pool/plain/bring.h"
#include "pool/plain/shield.h"
#include "pool/pool.h"
#include "pool/slots.h"
#include "space/inside.h"

/* How many pages there are, and which of them are free. */

/* A growth that nobody has asked for: an eighth, and at least so many bytes. */
#define GROWTH_LEAST ((size_t)1 << 20)
#define GROWTH_PART 8

/* --- growth -------------------------------------------------------------------------------------- */

/* Under size_lock. */
static int grow_to(struct vms_pool *pool, uint64_t pages)
{
	int error;

	if (pages <= vmsi_pool_count(pool))
		return 0;
	if (pages > pool->pages_most)
		return -ERANGE;
	error = vmsi_store_grow(&pool->store, pages << pool->view.page_shift);
	if (!error)
		__atomic_store_n(&pool->view.pages, pages, __ATOMIC_RELEASE);
	return error;
}

static int may_change_size(const struct vms_pool *pool)
{
	const int error = vmsi_pool_enter(pool);

	if (error)
		return error;
	return vmsi_pool_has(pool, VMS_POOL_READ_ONLY) ? -EACCES : 0;
}

int vms_pool_grow(vms_pool *pool, uint64_t pages)
{
	int error = may_change_size(pool);

	if (!error) {
		vmsi_lock_acquire(&pool->size_lock);
		error = grow_to(pool, pages);
		vmsi_lock_release(&pool->size_lock);
	}
	return error ? vmsi_status(error) : 0;
}

uint64_t vms_pool_pages(const vms_pool *pool)
{
	const int earlier = errno;
	const uint64_t pages = vmsi_pool_enter(pool) ? 0 : vmsi_pool_count(pool);

	errno = earlier;
	return pages;
}

/* --- free pages: all under size_lock ------------------------------------------------------------------ */

static bool is_fresh(const struct vms_pool *pool, uint64_t page)
{
	return page >= pool->fresh && page < pool->fresh_end;
}

static bool is_free(const struct vms_pool *pool, uint64_t page)
{
	return is_fresh(pool, page) || (pool->free_bits[page / 64] >> page % 64 & 1);
}

static void set_free(struct vms_pool *pool, uint64_t page)
{
	pool->free_bits[page / 64] |= UINT64_C(1) << page % 64;
	pool->free_pages++;
	if (page < pool->free_from)
		pool->free_from = page;
}

static void set_taken(struct vms_pool *pool, uint64_t page)
{
	pool->free_pages--;
	if (is_fresh(pool, page)) {
		pool->fresh = page + 1;
		return;
	}
	pool->free_bits[page / 64] &= ~(UINT64_C(1) << page % 64);
	pool->free_from = page + 1;
}

/* Where that is so, it is fresh again. */
static void set_free_again(struct vms_pool *pool, uint64_t page)
{
	if (page + 1 != pool->fresh) {
		set_free(pool, page);
		return;
	}
	pool->fresh = page;
	pool->free_pages++;
}

/* There is one. */
static uint64_t first_with_bit(const struct vms_pool *pool)
{
	uint64_t place = pool->free_from / 64;

	while (!pool->free_bits[place])
		place++;
	return place * 64 + (unsigned)__builtin_ctzll(pool->free_bits[place]);
}

/* There is one, fresh or not. */
static uint64_t first_free(const struct vms_pool *pool)
{
	const uint64_t fresh = pool->fresh_end - pool->fresh;

	if (pool->free_pages == fresh)
		return pool->fresh;
	return fresh ? vmsi_min(pool->fresh, first_with_bit(pool)) : first_with_bit(pool);
}

/* No page is free. */
static int grow_ahead(struct vms_pool *pool)
{
	const uint64_t count = vmsi_pool_count(pool);
	const uint64_t least = vmsi_max(GROWTH_LEAST / pool->page_size, 1);
	const uint64_t more = vmsi_max(count / GROWTH_PART, least);
	const uint64_t target = vmsi_min(count + more, pool->pages_most);
	int error;

	if (target == count)
		return -ENOSPC;
	error = grow_to(pool, target);
	/* A disk or a limit may have room for one. */
	if (error && grow_to(pool, count + 1) != 0)
		return error;
	pool->fresh = count;
	pool->fresh_end = vmsi_pool_count(pool);
	pool->free_pages = pool->fresh_end - count;
	return 0;
}

static int take_page(struct vms_pool *pool, uint64_t *page)
{
	int error = 0;

	vmsi_lock_acquire(&pool->size_lock);
	if (!pool->free_pages)
		error = grow_ahead(pool);
	if (!error) {
		*page = first_free(pool);
		set_taken(pool, *page);
	}
	vmsi_lock_release(&pool->size_lock);
	return error;
}

/* --- to allocate ---------------------------------------------------------------------------------------- */

/* What it was is of no interest, and not read. -EEXIST: the page is there, or comes. */
static int bring_zeroes(struct vms_pool *pool, uint64_t page, char **address)
{
	uint64_t *word = vmsi_pool_word(pool, page);
	uint32_t slot = VMSI_NO_SLOT;
	int error;

	do {
		const uint64_t seen = vmsi_word_load(word);

		if (seen & (VMSI_WORD_RESIDENT | VMSI_WORD_LOCK))
			return -EEXIST;
		error = vmsi_miss_begin(pool, page, seen, &slot);
	} while (error == -EAGAIN);
	if (error)
		return error;
	*address = vmsi_pool_at(pool, page, slot);
	if (vmsi_pool_has(pool, VMS_POOL_TRANSPARENT)) {
		error = vmsi_bring_zeroes(pool, page, slot);
		if (error)
			vmsi_miss_abort(pool, page, slot);
		return error;
	}
	memset(*address, 0, pool->page_size);
	(void)vmsi_word_publish(word, slot, VMSI_WRITE);
	return 0;
}

/* A free page can be there, if somebody looks at it who should not. */
static int fix_zeroes(struct vms_pool *pool, uint64_t page, char **address)
{
	uint64_t word = 0;
	int error = bring_zeroes(pool, page, address);

	if (error != -EEXIST)
		return error;
	error = vmsi_hold_page(pool, page, VMSI_WRITE, &word);
	if (error)
		return error;
	*address = vmsi_pool_at_word(pool, page, word);
	memset(*address, 0, pool->page_size);
	return 0;
}

static int allocate(struct vms_pool *pool, uint64_t *page, char **address)
{
	int error = take_page(pool, page);

	if (error)
		return error;
	error = fix_zeroes(pool, *page, address);
	if (error) {
		vmsi_lock_acquire(&pool->size_lock);
		set_free_again(pool, *page);
		vmsi_lock_release(&pool->size_lock);
	}
	return error;
}

void *vms_pool_allocate(vms_pool *pool, uint64_t *page)
{
	const int earlier = errno;
	char *address = NULL;
	uint64_t taken = 0;
	struct vmsi_shield shield;
	int error = may_change_size(pool);

	vmsi_shield_raise(pool, &shield);
	if (!error)
		error = allocate(pool, &taken, &address);
	vmsi_shield_lower(&shield);
	errno = error ? -error : earlier;
	if (!error)
		*page = taken;
	return error ? NULL : address;
}

/* --- to free ------------------------------------------------------------------------------------------ */

static bool take_busy(uint64_t *word, uint64_t seen)
{
	return seen & VMSI_WORD_RESIDENT ? vmsi_word_take_resident(word, seen) :
					   vmsi_word_take_absent(word, seen);
}

/* Who writes a page has it as a reader while it is copied, and has write_lock. */
static bool is_fixed(struct vms_pool *pool, const uint64_t *word)
{
	uint64_t lock;

	vmsi_lock_acquire(&pool->write_lock);
	lock = vmsi_word_lock(vmsi_word_load(word));
	vmsi_lock_release(&pool->write_lock);
	return lock != 0 && lock != VMSI_WORD_BUSY;
}

/* Make a page busy that nobody has; a copy that is being written is waited for. */
static int take_to_drop(struct vms_pool *pool, uint64_t page, uint64_t *seen)
{
	uint64_t *word = vmsi_pool_word(pool, page);

	for (;;) {
		uint64_t lock;

		*seen = vmsi_word_load(word);
		lock = vmsi_word_lock(*seen);
		if (lock != 0 && lock != VMSI_WORD_BUSY) {
			if (is_fixed(pool, word))
				return -EBUSY;
		} else if (lock == VMSI_WORD_BUSY ||
			   *seen & (VMSI_WORD_WRITING | VMSI_WORD_TURNING)) {
			vmsi_word_wait(word, *seen);
		} else if (take_busy(word, *seen)) {
			return 0;
		}
	}
}

static int drop_page(struct vms_pool *pool, uint64_t page)
{
	uint64_t *word = vmsi_pool_word(pool, page);
	uint64_t seen;
	int error = take_to_drop(pool, page, &seen);

	if (error)
		return error;
	if (seen & VMSI_WORD_RESIDENT)
		error = vmsi_room_drop_memory(pool, page);
	if (!error)
		vmsi_aside_drop(&pool->store.aside, page);
	vmsi_lend_stop(pool);
	if (error || !(seen & VMSI_WORD_RESIDENT)) {
		vmsi_word_give_back(word);
		return error ? -ENOMEM : 0;
	}
	/* First the word: a slot that is free is no page's. */
	vmsi_word_drop(word, pool->view.version_shift);
	vmsi_latch_acquire(&pool->lock);
	vmsi_room_give(pool, (uint32_t)vmsi_word_slot(seen, pool->view.version_shift));
	vmsi_latch_release(&pool->lock);
	return 0;
}

static int free_page(struct vms_pool *pool, uint64_t page)
{
	int error = may_change_size(pool);

	if (!error)
		error = vmsi_room_charge(pool, page);
	if (!error)
		error = vmsi_room_charge_free_bit(pool, page);
	if (error)
		return error;
	vmsi_lock_acquire(&pool->size_lock);
	error = is_free(pool, page) ? -EINVAL : drop_page(pool, page);
	if (!error)
		set_free(pool, page);
	vmsi_lock_release(&pool->size_lock);
	return error;
}

int vms_pool_free(vms_pool *pool, uint64_t page)
{
	const int earlier = errno;
	struct vmsi_shield shield;
	int error = vmsi_pool_enter_page(pool, page);

	vmsi_shield_raise(pool, &shield);
	if (!error)
		error = free_page(pool, page);
	vmsi_shield_lower(&shield);
	if (error)
		return vmsi_status(error);
	errno = earlier;
	return 0;
}
