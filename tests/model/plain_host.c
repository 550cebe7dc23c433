/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "plain_world.h"
#include "pool/evict/evict.h"
#include "pool/miss.h"
#include "pool/plain/shield.h"

#undef memcpy

/*
 * What is below touch.c, bring.c and copy.c in the explorer: memory that comes by faults, a
 * file, a slot; and faults of word.c that must be found, which plain_steps.h puts in between.
 */

/*
 * Where a thread is that knows nothing else from there on, of what it has read: more than this
 * is the same in many interleavings. What it does is known by its operation, and what that
 * has noted.
 */
enum {
	BRINGS = 20, HAS_BROUGHT = 30, SETS_STORES = 40, HAS_SET_STORES = 50, COPIES = 60,
	HAS_NOT_OPENED, HAS_WAITED,
};

/* --- memory ---------------------------------------------------------------------------------- */

static void note_parts(const struct part *parts)
{
	for (size_t i = 0; i < PARTS; i++) {
		schedule_note(parts[i].plain);
		schedule_note(parts[i].fixed);
	}
}

static struct part *part_at(uintptr_t address)
{
	return &plain.parts[(address - (uintptr_t)plain.parts) / sizeof(struct part)];
}

/* Nobody sees less than a part of what is brought. */
static void bring_part(struct part *part, const struct part *from)
{
	(void)get(&part->is_there);
	*part = *from;
	part->is_there = part->is_protected = 1;
}

/* A part may be done when it fails: only where it is to protect. */
static int set_stores(struct vmsi_range range, enum vmsi_stores stores)
{
	const bool is_protected = stores == VMSI_STORES_FAULT;

	if (running->fails == MEMORY_FAILS && !is_protected)
		return -ENOMEM;
	if (fault == UNPROTECTED && is_protected)
		return 0;
	for (struct part *part = part_at(range.start); part < part_at(range.end); part++) {
		set(&part->is_protected, is_protected);
		if (running->fails == MEMORY_FAILS)
			return -ENOMEM;
	}
	return 0;
}

/* As watch.c: stores to several parts work only when all are there. */
int vmsi_pager_bring(const struct vmsi_pager *pager, uintptr_t address, const char *bytes,
		     size_t length, enum vmsi_stores stores)
{
	const struct vmsi_range range = { address, address + length };

	int error = 0;

	(void)pager;
	begin_again(running, BRINGS + stores);
	note_parts((const struct part *)bytes);
	for (size_t i = 0; i < PARTS; i++)
		bring_part(&plain.parts[i], (const struct part *)bytes + i);
	if (stores == VMSI_STORES_WORK)
		error = set_stores(range, stores);
	for (size_t i = 0; error && i < PARTS; i++)
		set(&plain.parts[i].is_there, false);
	begin_again(running, HAS_BROUGHT + stores);
	schedule_note((uint64_t)-error);
	return error;
}

int vmsi_pager_set_stores(const struct vmsi_pager *pager, struct vmsi_range range,
			  enum vmsi_stores stores)
{
	int error;

	(void)pager;
	begin_again(running, SETS_STORES + stores);
	error = set_stores(range, stores);
	begin_again(running, HAS_SET_STORES + stores);
	schedule_note((uint64_t)-error);
	return error;
}

void explorer_copy(void *to, const void *from, size_t size)
{
	const struct part *parts = from;
	struct part *copies = to;

	begin_again(running, COPIES);
	for (size_t i = 0; i < size / sizeof(struct part); i++) {
		if (!get(&parts[i].is_there))
			schedule_fail("the pool reads a page that is not there");
		copies[i] = parts[i];
	}
	note_parts(copies);
}

/* --- landings, the file, the slot ------------------------------------------------------------- */

static struct part landings[SCHEDULE_THREADS][PARTS];

struct vmsi_landed vmsi_landing_take(struct vms_pool *pool, size_t wanted)
{
	(void)pool;
	(void)wanted;
	return (struct vmsi_landed){ running->number, 1 };
}

void vmsi_landing_give(struct vms_pool *pool, struct vmsi_landed landed)
{
	(void)pool;
	(void)landed;
}

char *vmsi_landing_at(const struct vms_pool *pool, struct vmsi_landed landed)
{
	(void)pool;
	return (char *)landings[landed.place];
}

int vmsi_store_read(struct vmsi_store *store, char *buffer, size_t length, uint64_t offset,
		    bool *was_read)
{
	struct part *parts = (struct part *)buffer;

	(void)store;
	(void)length;
	(void)offset;
	/* The page is busy, so that nobody writes it meanwhile. */
	for (size_t i = 0; i < PARTS; i++)
		parts[i] = plain.file[i];
	*was_read = true;
	return 0;
}

int vmsi_miss_begin(struct vms_pool *pool, uint64_t page, uint64_t seen, uint32_t *slot)
{
	*slot = 0;
	return vmsi_word_take_absent(vmsi_pool_word(pool, page), seen) ? 0 : -EAGAIN;
}

void vmsi_miss_abort(struct vms_pool *pool, uint64_t page, uint32_t slot)
{
	(void)slot;
	vmsi_word_give_back(vmsi_pool_word(pool, page));
}

uint64_t vmsi_miss_clock(struct vms_pool *pool)
{
	(void)pool;
	return 0;
}

void vmsi_miss_count(struct vms_pool *pool, uint64_t began)
{
	(void)pool;
	(void)began;
}

struct vmsi_reach vmsi_ahead_plan(struct vmsi_ahead *ahead, uint64_t page, bool is_store,
				  uint32_t most)
{
	(void)ahead;
	(void)page;
	(void)is_store;
	(void)most;
	return (struct vmsi_reach){ 0, 0, false };
}

void vmsi_shield_raise_for_fault(struct vmsi_shield *shield)
{
	shield->is_up = false;
}

/* --- what one page never needs ----------------------------------------------------------------- */

int vmsi_miss_try(struct vms_pool *pool, uint64_t page, uint64_t seen, uint32_t *slot)
{
	(void)pool;
	(void)page;
	(void)seen;
	(void)slot;
	abort();
}

int vmsi_evict(struct vms_pool *pool, struct vmsi_batch *dirty)
{
	(void)pool;
	(void)dirty;
	abort();
}

void vmsi_shield_take_down(struct vmsi_shield *shield)
{
	(void)shield;
	abort();
}

void vmsi_aside_drop(struct vmsi_aside *aside, uint64_t page)
{
	(void)aside;
	(void)page;
	abort();
}

int vmsi_pool_wake(const struct vms_pool *pool)
{
	(void)pool;
	abort();
}

/* No turn is given away under the lock. */
void vmsi_latch_wait(struct vmsi_latch *latch)
{
	(void)latch;
	abort();
}

void vmsi_latch_wake(struct vmsi_latch *latch)
{
	(void)latch;
	abort();
}

/* --- faults of word.c -------------------------------------------------------------------------- */

#undef vmsi_word_wait
#undef vmsi_word_wait_for_turn
#undef vmsi_word_begin_opening
#undef vmsi_word_begin_writing_stored
#undef vmsi_word_end_turn
#undef vmsi_word_make_dirty
#undef vmsi_word_abort_writing_stored

void vmsi_word_wait(uint64_t *word, uint64_t seen);
bool vmsi_word_begin_opening(uint64_t *word, uint64_t *seen);
bool vmsi_word_begin_writing_stored(uint64_t *word);
void vmsi_word_end_turn(uint64_t *word, uint64_t bits);
void vmsi_word_make_dirty(uint64_t *word);
void vmsi_word_abort_writing_stored(uint64_t *word);

/* Whoever has waited looks at the word again. */
void explored_wait(uint64_t *word, uint64_t seen)
{
	vmsi_word_wait(word, seen);
	begin_again(running, HAS_WAITED + (seen & VMSI_WORD_TURNING));
}

uint64_t explored_wait_for_turn(uint64_t *word)
{
	uint64_t seen = vmsi_word_load(word);

	while (seen & VMSI_WORD_TURNING) {
		explored_wait(word, seen);
		seen = vmsi_word_load(word);
	}
	return seen;
}

bool faulty_begin_opening(uint64_t *word, uint64_t *seen)
{
	if (fault == NOT_DIRTY || fault == DIRTY_LATE ?
		    vmsi_word_swap(word, seen, *seen | VMSI_WORD_TURNING) :
		    vmsi_word_begin_opening(word, seen))
		return true;
	begin_again(running, HAS_NOT_OPENED);
	schedule_note(*seen);
	return false;
}

bool faulty_begin_writing_stored(uint64_t *word)
{
	const bool has_begun = vmsi_word_begin_writing_stored(word);

	if (has_begun && fault == NO_TURN)
		(void)vmsi_word_take_bits(word, VMSI_WORD_TURNING);
	return has_begun;
}

void faulty_end_turn(uint64_t *word, uint64_t bits)
{
	vmsi_word_end_turn(word, fault == DIRTY_LATE && bits ? bits | VMSI_WORD_DIRTY : bits);
}

void faulty_make_dirty(uint64_t *word)
{
	if (fault != COMES_CLEAN)
		vmsi_word_make_dirty(word);
}

void faulty_abort_writing_stored(uint64_t *word)
{
	if (fault == ABORTS_CLEAN) {
		vmsi_word_end_turn(word, 0);
		vmsi_word_end_writing(word, false);
		return;
	}
	vmsi_word_abort_writing_stored(word);
	if (fault == ABORTS_WRITABLE)
		vmsi_word_end_turn(word, VMSI_WORD_WRITABLE);
}

/* --- locks ----------------------------------------------------------------------------------- */

#ifdef VMSI_DEBUG

/* Of latches there is one here, in which no order can be wrong. */
void vmsi_rank_acquired(enum vmsi_lock_rank rank)
{
	(void)rank;
}

void vmsi_rank_released(enum vmsi_lock_rank rank)
{
	(void)rank;
}

#endif
