/* SPDX-License-Identifier: MIT */
#include "pool/plain/touch.h"

#include "host/host.h"
#include "pool/evict/evict.h"
#include "pool/miss.h"
#include "pool/plain/bring.h"
#include "pool/plain/shield.h"
#include "pool/slots.h"

/* Pages that are busy, side by side; the one that was missed is among them. */
struct window {
	uint64_t first, missed;
	size_t count;
	uint32_t slots[VMSI_REACH_MOST];
};

/* --- a window ----------------------------------------------------------------------------------- */

static uint32_t *slot_of(struct window *window, uint64_t page)
{
	return &window->slots[page % VMSI_REACH_MOST];
}

/* Take a page beside, if that is possible at once. */
static bool take_beside(struct vms_pool *pool, struct window *window, uint64_t page)
{
	uint64_t seen;

	if (page >= vmsi_pool_count(pool))
		return false;
	seen = vmsi_word_load(vmsi_pool_word(pool, page));
	return !(seen & (VMSI_WORD_RESIDENT | VMSI_WORD_LOCK)) &&
		vmsi_miss_try(pool, page, seen, slot_of(window, page)) == 0;
}

static void widen(struct vms_pool *pool, struct window *window, struct vmsi_reach reach)
{
	while (reach.behind-- && take_beside(pool, window, window->first + window->count))
		window->count++;
	while (reach.before-- && take_beside(pool, window, window->first - 1)) {
		window->first--;
		window->count++;
	}
}

static void narrow(struct vms_pool *pool, struct window *window)
{
	for (uint64_t page = window->first; page < window->first + window->count; page++)
		if (page != window->missed)
			vmsi_miss_abort(pool, page, *slot_of(window, page));
	window->first = window->missed;
	window->count = 1;
}

/*
 * Without an outlet only what is clean leaves: no page is written for neighbours. Not inline,
 * so that the batch is not on the stack of the rest of a fault.
 */
__attribute__((noinline))
static void make_room_ahead(struct vms_pool *pool)
{
	struct vmsi_batch dirty;

	dirty.count = 0;
	(void)vmsi_evict(pool, vmsi_outlet_is_open(&pool->outlet) ? &dirty : NULL);
}

/*
 * What a window needs is had by one batch of evictions. Room for the page itself is made where
 * it begins to come.
 */
static struct vmsi_reach plan(struct vms_pool *pool, uint64_t page, bool is_store)
{
	struct vmsi_reach reach;
	uint32_t most, room;

	vmsi_latch_acquire(&pool->lock);
	most = (uint32_t)vmsi_max(vmsi_min(pool->reach_most, pool->limit / 16), 1);
	reach = vmsi_ahead_plan(&pool->ahead, page, is_store, most);
	room = pool->limit - (uint32_t)vmsi_min(vmsi_room_used(pool), pool->limit);
	vmsi_latch_release(&pool->lock);
	reach.behind = (uint32_t)vmsi_min(reach.behind, vmsi_pool_count(pool) - 1 - page);
	if (reach.before + reach.behind && room < reach.before + reach.behind + 1)
		make_room_ahead(pool);
	return reach;
}

/* A neighbour that cannot be read is no reason that the page cannot. */
static int read_window(struct vms_pool *pool, struct window *window,
		       struct vmsi_landed *landed)
{
	int error;

	*landed = vmsi_landing_take(pool, window->count);
	if (landed->count < window->count)
		narrow(pool, window);
	for (;;) {
		const struct vmsi_landed part = { landed->place, window->count };

		error = vmsi_bring_read(pool, window->first, part);
		if (!error || window->count == 1)
			return error;
		narrow(pool, window);
	}
}

static int bring_window(struct vms_pool *pool, struct window *window,
			enum vmsi_stores stores)
{
	struct vmsi_landed landed;
	int error = read_window(pool, window, &landed);

	if (!error)
		error = vmsi_bring_landed(pool, window->first,
					  (struct vmsi_landed){ landed.place,
								window->count }, stores);
	vmsi_landing_give(pool, landed);
	return error;
}

static void publish(struct vms_pool *pool, struct window *window, uint64_t bits)
{
	vmsi_pool_add(&pool->read_ahead, window->count - 1);
	for (uint64_t page = window->first; page < window->first + window->count; page++)
		(void)vmsi_word_publish_with(vmsi_pool_word(pool, page),
					     *slot_of(window, page), VMSI_LOOK, bits);
}

/* --- a fault ---------------------------------------------------------------------------------------- */

/* The page was seen absent and free. Returns -EAGAIN: look again. */
static int miss(struct vms_pool *pool, uint64_t page, uint64_t seen, bool is_store)
{
	struct window window = { .first = page, .missed = page, .count = 1 };
	const uint64_t began = vmsi_miss_clock(pool);
	const struct vmsi_reach reach = plan(pool, page, is_store);
	enum vmsi_stores stores = VMSI_STORES_FAULT;
	int error = vmsi_miss_begin(pool, page, seen, slot_of(&window, page));

	if (error)
		return error;
	widen(pool, &window, reach);
	if (is_store && (reach.for_stores || window.count == 1))
		stores = VMSI_STORES_WORK;
	error = bring_window(pool, &window, stores);
	if (error) {
		narrow(pool, &window);
		vmsi_miss_abort(pool, page, *slot_of(&window, page));
		return error;
	}
	/* First: who waits for the page may look at the figures next. */
	vmsi_miss_count(pool, began);
	publish(pool, &window, vmsi_bring_bits(stores));
	return is_store && stores == VMSI_STORES_FAULT ? -EAGAIN : 0;
}

static int open_for_store(struct vms_pool *pool, uint64_t page)
{
	return vmsi_pool_has(pool, VMS_POOL_READ_ONLY) ? -EACCES :
							 vmsi_bring_open(pool, page);
}

/* An access of which the processor says nothing is a store if the page is there. */
static int touch(struct vms_pool *pool, uint64_t page, enum vmsi_access access)
{
	uint64_t *word = vmsi_pool_word(pool, page);

	for (;;) {
		const uint64_t seen = vmsi_word_load(word);
		int error = -EAGAIN;

		if (vmsi_word_lock(seen) == VMSI_WORD_BUSY)
			vmsi_word_wait(word, seen);
		else if (!(seen & VMSI_WORD_RESIDENT))
			error = miss(pool, page, seen, access == VMSI_ACCESS_STORE);
		else
			error = access == VMSI_ACCESS_LOAD ? 0 : open_for_store(pool, page);
		if (error != -EAGAIN)
			return error;
	}
}

int vmsi_touch(void *context, uintptr_t address, enum vmsi_access access)
{
	struct vms_pool *pool = context;
	const uint64_t page = (address - (uintptr_t)pool->view.memory) >>
		pool->view.page_shift;
	struct vmsi_shield shield;
	int error = vmsi_pool_enter_page(pool, page);

	if (error)
		return error;
	if (access == VMSI_ACCESS_STORE && vmsi_pool_has(pool, VMS_POOL_READ_ONLY))
		return -EACCES;
	vmsi_shield_raise_for_fault(&shield);
	vmsi_pool_add(&pool->faults, 1);
	error = touch(pool, page, access);
	vmsi_shield_lower(&shield);
	return error;
}
