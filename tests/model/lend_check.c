/* SPDX-License-Identifier: MIT */
#include "lend_world.h"

#include <string.h>

#include "host/host.h"
#include "pool/aside/lend.h"
#include "pool/slots.h"

/* --- a run ------------------------------------------------------------------------------------ */

static void set_up_view(struct vms_pool_view *view)
{
	const bool is_addressed = lend_flags & VMS_POOL_ADDRESSED;

	view->words = lent.words;
	view->memory = (char *)lent.frames;
	view->pages = PAGES;
	view->slot_mask = is_addressed ? 0 : (UINT64_C(1) << (VERSION_SHIFT - 16)) - 1;
	view->page_mask = is_addressed ? UINT64_MAX : 0;
	view->page_shift = (unsigned)__builtin_ctzll(sizeof(lent.frames[0]));
	view->version_shift = VERSION_SHIFT;
}

void lend_note_pool(void)
{
	memcpy(lent.queues, lend_pool.queues, sizeof(lent.queues));
	lent.made = lend_pool.made;
	lent.trail = lend_pool.trail;
	lent.limit = lend_pool.limit;
	lent.latch = atomic_load(&lend_pool.lock.state);
	lent.lends_left = atomic_load(&lend_pool.lends_left);
}

/* All but one page are aside. That one has the only slot of its own, and is dirty. */
void lend_reset(void)
{
	struct vms_pool *pool = &lend_pool;
	uint32_t slot;

	memset(pool, 0, sizeof(*pool));
	vmsi_host.madvise = lend_madvise;
	set_up_view(&pool->view);
	pool->flags = lend_flags;
	pool->slots = lent.slots;
	pool->page_size = sizeof(lent.frames[0]);
	pool->limit = 1;
	pool->lent_most = 1;
	pool->slots_most = SLOTS;
	for (int i = 0; i < VMSI_QUEUES; i++)
		pool->queues[i].first = pool->queues[i].last = VMSI_NO_SLOT;
	for (unsigned page = 0; page < PAGES; page++) {
		lent.changed[page] = 10 * (page + 1);
		for (unsigned i = 0; i < WORDS; i++)
			lent.aside[page][i] = page == FULL ? 0 : lent.changed[page];
	}
	slot = vmsi_room_take(pool, FULL);
	for (unsigned i = 0; i < WORDS; i++)
		frame_of(FULL, slot)[i] = lent.changed[FULL];
	lent.words[FULL] = VMSI_WORD_RESIDENT | VMSI_WORD_DIRTY |
		(uint64_t)slot << VMS_POOL_WORD_SLOT_SHIFT;
}

static bool check_page(uint64_t page)
{
	const uint64_t word = lent.words[page];
	const uint32_t slot = (uint32_t)vmsi_word_slot(word, VERSION_SHIFT);
	const bool is_resident = word & VMSI_WORD_RESIDENT;
	const bool is_dirty = word & VMSI_WORD_DIRTY;

	if (vmsi_word_lock(word) != 0 || word & VMSI_WORD_WRITING)
		return wrong("a lock is left");
	if (is_resident && vmsi_page_of(&lend_pool, slot) != page)
		return wrong("a page is in a slot that is another's");
	if (is_resident && vmsi_word_is_lent(word) !=
	    (vmsi_queue_of(&lend_pool, slot) == VMSI_LENT))
		return wrong("a word and its slot differ in whether it is lent");
	if (is_resident && !is_page(frame_of(page, slot), lent.changed[page]))
		return wrong("a change is lost");
	if (!(is_resident && is_dirty) && !is_page(lent.aside[page], lent.changed[page]))
		return wrong("a page is neither dirty nor aside");
	return true;
}

static bool check_queues(void)
{
	const struct vms_pool *pool = &lend_pool;
	uint32_t all = 0;

	for (int i = 0; i < VMSI_QUEUES; i++) {
		uint32_t number = pool->queues[i].first, count = 0;

		for (; number != VMSI_NO_SLOT && count <= SLOTS; count++) {
			if ((int)vmsi_queue_of(pool, number) != i)
				return wrong("a slot is in a queue that it does not name");
			number = pool->slots[number].next;
		}
		if (count != pool->queues[i].count)
			return wrong("a queue has another length than it says");
		all += count;
	}
	if (all != pool->made)
		return wrong("a slot is in no queue");
	if (pool->queues[VMSI_LENT].count > pool->lent_most)
		return wrong("more slots are lent than may be");
	if (vmsi_room_owned(pool) > pool->limit)
		return wrong("there are more slots than the RAM has room for");
	return true;
}

bool lend_check(void)
{
	if (!check_queues())
		return false;
	for (uint64_t page = 0; page < PAGES; page++)
		if (!check_page(page))
			return false;
	return true;
}
