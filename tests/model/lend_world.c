/* SPDX-License-Identifier: MIT */
#include "lend_world.h"

#include <stdlib.h>
#include <string.h>

#include "base/mman.h"
#include "host/host.h"
#include "pool/aside/lend.h"
#include "pool/slots.h"

#define GARBAGE 9999
#define LENDS 1

struct lend_world lent;
struct vms_pool lend_pool;
unsigned lend_flags;

/* Where a thread is that knows nothing else, but for what it notes: as in plain_host.c. */
enum { READS_IN = 10, LOOKS = 20, CHANGES = 30, TRIES_OWN = 40, TRIES_LENT = 50, KEEPS = 60 };

/* --- frames --------------------------------------------------------------------------------- */

static uint64_t *word_of(const struct thread *thread)
{
	return &lent.words[thread->place];
}

static uint64_t *frame_of_word(uint64_t page, uint64_t word)
{
	return frame_of(page, vmsi_word_slot(word, VERSION_SHIFT));
}

static void copy_page(uint64_t *to, const uint64_t *from)
{
	for (unsigned i = 0; i < WORDS; i++)
		set(&to[i], get(&from[i]));
}

static void look_at(const struct thread *thread, const uint64_t *frame)
{
	for (unsigned i = 0; i < WORDS; i++)
		if (get(&frame[i]) != lent.changed[thread->place])
			schedule_fail("what is read is not the page");
}

static void change(const struct thread *thread, uint64_t word)
{
	uint64_t *frame = frame_of_word(thread->place, word);
	const uint64_t state = lent.changed[thread->place];

	if (vmsi_queue_of(&lend_pool, (uint32_t)vmsi_word_slot(word, VERSION_SHIFT)) ==
	    VMSI_LENT)
		schedule_fail("a page is changed in a slot that is lent");
	look_at(thread, frame);
	for (unsigned i = 0; i < WORDS; i++)
		set(&frame[i], state + 1);
	lent.changed[thread->place] = state + 1;
	begin_again(running, CHANGES);
}

/* What is in a slot is of another page from now on. */
static void spoil(uint64_t page, uint64_t slot, bool is_saved)
{
	uint64_t *frame = frame_of(page, slot);

	if (is_saved && !is_page(lent.aside[page], lent.changed[page]))
		schedule_fail("a page has left that is not aside");
	for (unsigned i = 0; i < WORDS; i++)
		set(&frame[i], GARBAGE + i);
}

/* --- to come ---------------------------------------------------------------------------------- */

static void give_up(uint64_t *word)
{
	vmsi_word_give_back(word);
}

/* As vmsi_miss_try: a slot that is the page's own. */
static uint32_t take_own(struct thread *thread, uint64_t seen)
{
	uint32_t slot;

	if (!vmsi_word_take_absent(word_of(thread), seen))
		return VMSI_NO_SLOT;
	vmsi_latch_acquire(&lend_pool.lock);
	slot = vmsi_room_take(&lend_pool, thread->place);
	vmsi_latch_release(&lend_pool.lock);
	begin_again(thread, TRIES_OWN);
	schedule_note(slot);
	if (slot == VMSI_NO_SLOT)
		give_up(word_of(thread));
	return slot;
}

/* As try_lent of miss.c. */
static uint32_t take_lent(struct thread *thread)
{
	uint64_t seen;
	uint32_t slot;

	begin_again(thread, TRIES_LENT);
	seen = vmsi_word_load(word_of(thread));
	if (seen & (VMSI_WORD_RESIDENT | VMSI_WORD_LOCK) ||
	    !vmsi_word_take_absent(word_of(thread), seen))
		return VMSI_NO_SLOT;
	vmsi_latch_acquire(&lend_pool.lock);
	slot = vmsi_lend_take(&lend_pool, thread->place);
	begin_again(thread, TRIES_LENT + 1);
	schedule_note(slot);
	vmsi_latch_release(&lend_pool.lock);
	begin_again(thread, TRIES_LENT + 2);
	schedule_note(slot);
	if (slot == VMSI_NO_SLOT)
		give_up(word_of(thread));
	return slot;
}

/* As begin_reading. */
static uint32_t begin_reading(struct thread *thread, uint64_t seen)
{
	uint32_t slot = take_own(thread, seen);

	if (slot == VMSI_NO_SLOT && vmsi_lend_goes_on(&lend_pool))
		slot = take_lent(thread);
	if (slot != VMSI_NO_SLOT)
		return slot;
	if (!vmsi_lend_start(&lend_pool) && !nap(thread))
		try_again(thread);
	/* Fewer than there are, which would only be as many states. */
	atomic_store(&lend_pool.lends_left, LENDS);
	return slot;
}

/* As read_in. */
static uint64_t read_in(struct thread *thread, uint32_t slot, enum vmsi_page_hold hold)
{
	const uint64_t bits = fault == UNMARKED ? 0 : vmsi_lend_bits(&lend_pool, slot);

	begin_again(thread, READS_IN + hold);
	schedule_note(slot);
	copy_page(frame_of(thread->place, slot), lent.aside[thread->place]);
	return vmsi_word_publish_with(word_of(thread), slot, hold, bits);
}

/* --- to read ---------------------------------------------------------------------------------- */

void read_page(struct thread *thread)
{
	uint64_t seen;

	for (;;) {
		uint32_t slot;

		begin_again(thread, 0);
		switch (vmsi_word_try(word_of(thread), VMSI_READ, &seen)) {
		case VMSI_WORD_GOT:
			break;
		case VMSI_WORD_HELD:
			vmsi_word_wait(word_of(thread), seen);
			continue;
		case VMSI_WORD_ABSENT:
			slot = begin_reading(thread, seen);
			if (slot == VMSI_NO_SLOT)
				continue;
			seen = read_in(thread, slot, VMSI_READ);
			break;
		}
		break;
	}
	begin_again(thread, LOOKS);
	schedule_note(vmsi_word_slot(seen, VERSION_SHIFT));
	look_at(thread, frame_of_word(thread->place, seen));
	begin_again(thread, LOOKS + 1);
	if (!vmsi_word_unlock(word_of(thread), VERSION_SHIFT))
		schedule_fail("a reader is not one any more");
}

/* --- to change -------------------------------------------------------------------------------- */

/* As vmsi_miss_keep, at once. false: there is no room. */
static bool keep(const struct thread *thread)
{
	int error;

	vmsi_latch_acquire(&lend_pool.lock);
	lend_pool.limit += fault == KEPT_THOUGH_FULL;
	error = vmsi_lend_keep(&lend_pool, thread->place);
	begin_again(running, KEEPS);
	schedule_note((uint64_t)-error);
	lend_pool.limit -= fault == KEPT_THOUGH_FULL;
	vmsi_latch_release(&lend_pool.lock);
	return error == 0;
}

static enum vmsi_word_answer try_to_write(const struct thread *thread, uint64_t *seen)
{
	uint64_t *word = word_of(thread);
	const enum vmsi_word_answer answer = vmsi_word_try(word, VMSI_WRITE, seen);
	uint64_t value = *seen;

	if (fault != WRITES_LENT || answer != VMSI_WORD_HELD || vmsi_word_lock(value) ||
	    !vmsi_word_swap(word, &value, value | VMSI_WORD_WRITER | VMSI_WORD_DIRTY))
		return answer;
	*seen = value | VMSI_WORD_WRITER | VMSI_WORD_DIRTY;
	return VMSI_WORD_GOT;
}

/* false: there is no room, and nobody who could make some. */
static bool hold_to_write(struct thread *thread, uint64_t *seen)
{
	for (;;) {
		uint32_t slot;

		begin_again(thread, 1);
		switch (try_to_write(thread, seen)) {
		case VMSI_WORD_GOT:
			return true;
		case VMSI_WORD_HELD:
			if (vmsi_word_lock(*seen))
				vmsi_word_wait(word_of(thread), *seen);
			else if (!keep(thread) && !nap(thread))
				return false;
			continue;
		case VMSI_WORD_ABSENT:
			break;
		}
		slot = take_own(thread, *seen);
		if (slot != VMSI_NO_SLOT) {
			*seen = read_in(thread, slot, VMSI_WRITE);
			return true;
		}
		if (!nap(thread))
			return false;
	}
}

void change_page(struct thread *thread)
{
	uint64_t word;

	if (!hold_to_write(thread, &word))
		return;
	change(thread, word);
	if (!vmsi_word_unlock(word_of(thread), VERSION_SHIFT))
		schedule_fail("a writer is not one any more");
}

/* As vms_pool_upgrade. */
void upgrade_page(struct thread *thread)
{
	const uint64_t ticket = vmsi_word_load(word_of(thread));

	if (!(ticket & VMSI_WORD_RESIDENT) || vmsi_word_lock(ticket) >= VMSI_WORD_BUSY)
		return;
	while (!vmsi_word_upgrade(word_of(thread), ticket))
		if (!vmsi_word_is_lent(vmsi_word_load(word_of(thread))) || !keep(thread))
			return;
	change(thread, ticket);
	(void)vmsi_word_unlock(word_of(thread), VERSION_SHIFT);
}

/* What it has read is lent, most often. */
void read_then_change(struct thread *thread)
{
	read_page(thread);
	thread->noted = 1;
	change_page(thread);
}

void read_then_upgrade(struct thread *thread)
{
	read_page(thread);
	thread->noted = 1;
	upgrade_page(thread);
}

/* --- to leave ---------------------------------------------------------------------------------- */

/* As take_to_drop of size.c. */
static bool take_to_drop(struct thread *thread, uint64_t *seen)
{
	uint64_t *word = word_of(thread);

	for (;;) {
		uint64_t lock;

		begin_again(thread, 2);
		*seen = vmsi_word_load(word);
		lock = vmsi_word_lock(*seen);
		if (lock != 0 && lock != VMSI_WORD_BUSY)
			return false;
		if (lock == VMSI_WORD_BUSY || *seen & VMSI_WORD_WRITING)
			vmsi_word_wait(word, *seen);
		else if (*seen & VMSI_WORD_RESIDENT ? vmsi_word_take_resident(word, *seen) :
						       vmsi_word_take_absent(word, *seen))
			return true;
	}
}

/* As drop_page: what it was is of no interest any more. */
void free_page(struct thread *thread)
{
	const unsigned page = thread->place;
	uint64_t seen, slot;

	if (!take_to_drop(thread, &seen))
		return;
	slot = vmsi_word_slot(seen, VERSION_SHIFT);
	lent.changed[page] = lent.aside[page][0] = lent.aside[page][1] = 0;
	vmsi_lend_stop(&lend_pool);
	if (!(seen & VMSI_WORD_RESIDENT)) {
		vmsi_word_give_back(word_of(thread));
		return;
	}
	spoil(page, slot, false);
	vmsi_word_drop(word_of(thread), VERSION_SHIFT);
	vmsi_latch_acquire(&lend_pool.lock);
	vmsi_room_give(&lend_pool, (uint32_t)slot);
	vmsi_latch_release(&lend_pool.lock);
}

/* As evict.c, of the first page of the small queue. */
static uint64_t take_first(uint32_t *number, uint64_t *seen)
{
	struct vms_pool *pool = &lend_pool;
	const bool is_addressed = vmsi_pool_has(pool, VMS_POOL_ADDRESSED);
	uint64_t page, *word;

	*number = pool->queues[VMSI_SMALL].first;
	if (*number == VMSI_NO_SLOT)
		return VMSI_NO_PAGE;
	page = vmsi_page_of(pool, *number);
	word = &lent.words[page];
	*seen = vmsi_word_load(word);
	if (!vmsi_word_can_leave(*seen) || vmsi_word_slot(*seen, VERSION_SHIFT) != *number)
		return VMSI_NO_PAGE;
	if (is_addressed ? !vmsi_word_take_resident(word, *seen) :
			   !vmsi_word_evict(word, *seen, VERSION_SHIFT))
		return VMSI_NO_PAGE;
	if (is_addressed)
		return page;
	if (!is_page(lent.aside[page], lent.changed[page]))
		schedule_fail("a page has left that is not aside");
	vmsi_room_give(pool, *number);
	return page;
}

void evict_some(struct thread *thread)
{
	struct vms_pool *pool = &lend_pool;
	uint32_t number;
	uint64_t page, seen;

	(void)thread;
	vmsi_latch_acquire(&pool->lock);
	page = take_first(&number, &seen);
	vmsi_latch_release(&pool->lock);
	if (page == VMSI_NO_PAGE || !vmsi_pool_has(pool, VMS_POOL_ADDRESSED))
		return;
	spoil(page, number, true);
	vmsi_word_drop(&lent.words[page], VERSION_SHIFT);
	vmsi_latch_acquire(&pool->lock);
	vmsi_room_give(pool, number);
	vmsi_latch_release(&pool->lock);
}

/* As spill.c: what fails is dirty again. */
void put_aside(struct thread *thread)
{
	uint64_t seen, copy[WORDS];

	take_lock(&lent.write_lock);
	if (vmsi_word_hold_dirty(word_of(thread), &seen) == VMSI_WORD_GOT) {
		for (unsigned i = 0; i < WORDS; i++)
			copy[i] = get(&frame_of_word(thread->place, seen)[i]);
		if (!is_page(copy, lent.changed[thread->place]))
			schedule_fail("a copy is not of one state");
		vmsi_word_begin_writing(word_of(thread));
		for (unsigned i = 0; i < WORDS && !thread->fails; i++)
			set(&lent.aside[thread->place][i], copy[i]);
		vmsi_word_end_writing(word_of(thread), thread->fails);
	}
	release_lock(&lent.write_lock);
}

/* As apply of hint.c. */
void hint_at_page(struct thread *thread)
{
	struct vms_pool *pool = &lend_pool;
	uint64_t seen;
	uint32_t number;

	vmsi_latch_acquire(&pool->lock);
	seen = vmsi_word_load(word_of(thread));
	number = (uint32_t)vmsi_word_slot(seen, VERSION_SHIFT);
	if (seen & VMSI_WORD_RESIDENT && vmsi_word_lock(seen) != VMSI_WORD_BUSY &&
	    vmsi_page_of(pool, number) == thread->place &&
	    (vmsi_queue_of(pool, number) != VMSI_LENT || fault == HINTED)) {
		vmsi_queue_remove(pool, number);
		vmsi_queue_prepend(pool, VMSI_SMALL, number);
	}
	vmsi_latch_release(&pool->lock);
}

/* --- the host, and faults -------------------------------------------------------------------- */

/* Debug builds tell of each latch that is about to be taken. */
void vmsi_rank_acquired(enum vmsi_lock_rank rank)
{
	(void)rank;
	explorer_step(&lend_pool.lock, sizeof(uint32_t));
}

void vmsi_rank_released(enum vmsi_lock_rank rank)
{
	(void)rank;
	explorer_step(&lend_pool.lock, sizeof(uint32_t));
}

/* Where a page has an address of its own; by lend.c alone. */
static void drop_memory(uint64_t page)
{
	spoil(page, 0, true);
}

long lend_madvise(uintptr_t start, size_t length, int advice)
{
	(void)length;
	/* Frames have no memory to drop but that of slots which nobody has. */
	if (advice == MADV_DONTNEED && lend_flags & VMS_POOL_ADDRESSED && fault != DROPS_LATE)
		drop_memory((start - (uintptr_t)lent.frames) / sizeof(lent.frames[0]));
	return 0;
}

#undef vmsi_word_drop

void vmsi_word_drop(uint64_t *word, unsigned version_shift);

void faulty_drop(uint64_t *word, unsigned version_shift)
{
	vmsi_word_drop(word, version_shift);
	if (fault == DROPS_LATE)
		drop_memory((uint64_t)(word - lent.words));
}

int vmsi_pager_take(const struct vmsi_pager *pager, struct vmsi_range range)
{
	(void)pager;
	(void)range;
	abort();
}

/* No RAM is counted here. */
size_t vmsi_page_size(void)
{
	abort();
}

int vmsi_pool_wake(const struct vms_pool *pool)
{
	(void)pool;
	abort();
}
