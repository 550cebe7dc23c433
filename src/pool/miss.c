/* SPDX-License-Identifier: MIT */
#include "pool/miss.h"

#include <string.h>

#include "base/hot.h"
#include "host/host.h"
#include "pool/aside/lend.h"
#include "pool/aside/spill.h"
#include "pool/evict/evict.h"
#include "pool/plain/bring.h"
#include "pool/plain/shield.h"
#include "pool/slots.h"
#include "pool/write/writer.h"

/* Pages that are not there. */

/* --- room ---------------------------------------------------------------------------------------- */

/*
 * How often it is tried to find a page that can go, with a sleep in between that becomes
 * longer: a quarter of a second in all. Others may unfix something meanwhile, but if all
 * is fixed by the caller nobody will.
 */
#define TRIES 40
#define SLEEP_STEP 300000u
#define TRIES_OF_FAULT 400

/*
 * How often pages are written without any that can leave for that: others have taken their
 * places, the host does not drop them, or a store that is full has given up again what it
 * was given. After that it counts as a try.
 */
#define WRITES_IN_VAIN 20

/* Whom room is made for. A reader can do with a slot that is lent. */
enum room_for { FOR_ANY, FOR_READER };

/* Write pages that were in the way. Returns whether some can leave now. */
static bool write_some(struct vms_pool *pool, struct vmsi_batch *dirty, int *error)
{
	struct vmsi_outcome written;
	int result;

	if (dirty->count > pool->staging_pages)
		dirty->count = pool->staging_pages;
	if (!dirty->count)
		return false;
	result = vmsi_spill_batch(pool, dirty, &written);
	if (!result)
		result = written.error;
	if (result)
		*error = result;
	vmsi_pool_add(&pool->for_room, written.written);
	return written.written != 0 || written.clean != 0;
}

static bool has_room(struct vms_pool *pool)
{
	bool answer;

	vmsi_latch_acquire(&pool->lock);
	answer = vmsi_room_has_room(pool);
	vmsi_latch_release(&pool->lock);
	return answer;
}

/*
 * In a fault the program is not asked for its log: the thread that writes does that, which
 * may take the log's time.
 */
static unsigned tries_for(const struct vms_pool *pool, const struct vmsi_batch *dirty)
{
	return dirty->count && pool->make_durable && vmsi_shield_is_fault() ?
		TRIES_OF_FAULT : TRIES;
}

static int make_room(struct vms_pool *pool, enum room_for whom)
{
	struct vmsi_batch dirty = { .count = 0 };
	unsigned writes = 0;
	int error = -ENOBUFS;

	for (unsigned i = 0; i < tries_for(pool, &dirty);) {
		int left;

		dirty.count = 0;
		left = vmsi_evict(pool, &dirty);
		if (dirty.count)
			vmsi_writer_call(pool);
		if (left > 0 || has_room(pool))
			return 0;
		if (left < 0)
			error = left;
		if (write_some(pool, &dirty, &error) && writes++ < WRITES_IN_VAIN)
			continue;
		/* Then something that is clean has to do, however hot. */
		if (dirty.count && vmsi_evict(pool, NULL) > 0)
			return 0;
		if (whom == FOR_READER && error != -ENOBUFS && vmsi_lend_start(pool))
			return 0;
		(void)vmsi_host.nanosleep(++i * SLEEP_STEP);
	}
	return error;
}

int vmsi_make_room(struct vms_pool *pool)
{
	return make_room(pool, FOR_ANY);
}

/* --- a page comes ------------------------------------------------------------------------------------ */

__attribute__((noinline))
static void copy_lsns(struct vms_pool *pool, uint64_t page, uint32_t number)
{
	const struct vmsi_aside *aside = &pool->store.aside;
	struct vmsi_page_slot *slot = &pool->slots[number];
	const struct vmsi_aside_record *record = vmsi_aside_record(aside, page);

	if (!record)
		return;
	atomic_store(&slot->first_lsn, record->first_lsn);
	atomic_store(&slot->last_lsn, record->last_lsn);
}

/* A page that was put aside had changes that the file has not. */
static inline void take_lsns(struct vms_pool *pool, uint64_t page, uint32_t number)
{
	if (pool->store.aside.records)
		copy_lsns(pool, page, number);
}

/* The page is busy. Returns as vmsi_miss_try; where there is no slot it is as it was. */
static inline int end_try(struct vms_pool *pool, uint64_t page, uint32_t slot)
{
	if (slot != VMSI_NO_SLOT) {
		take_lsns(pool, page, slot);
		return 0;
	}
	vmsi_word_give_back(vmsi_pool_word(pool, page));
	return -ENOBUFS;
}

VMSI_HOT
int vmsi_miss_try(struct vms_pool *pool, uint64_t page, uint64_t seen, uint32_t *slot)
{
	const int error = vmsi_room_charge(pool, page);

	if (error)
		return error;
	if (!vmsi_word_take_absent(vmsi_pool_word(pool, page), seen))
		return -EAGAIN;
	vmsi_latch_acquire(&pool->lock);
	*slot = vmsi_room_take(pool, page);
	vmsi_latch_release(&pool->lock);
	return end_try(pool, page, *slot);
}

/* A slot is lent where there is no other. Returns as vmsi_miss_try. */
static int try_lent(struct vms_pool *pool, uint64_t page, uint64_t seen, uint32_t *slot)
{
	if (!vmsi_word_take_absent(vmsi_pool_word(pool, page), seen))
		return -EAGAIN;
	vmsi_latch_acquire(&pool->lock);
	*slot = vmsi_lend_take(pool, page);
	vmsi_latch_release(&pool->lock);
	return end_try(pool, page, *slot);
}

/* The same as vmsi_miss_begin, of a page that is only to be read. */
static int begin_reading(struct vms_pool *pool, uint64_t page, uint64_t seen, uint32_t *slot)
{
	int error = vmsi_miss_try(pool, page, seen, slot);

	if (error == -ENOBUFS && vmsi_lend_goes_on(pool)) {
		seen = vmsi_word_load(vmsi_pool_word(pool, page));
		if (seen & (VMSI_WORD_RESIDENT | VMSI_WORD_LOCK))
			return -EAGAIN;
		error = try_lent(pool, page, seen, slot);
	}
	if (error != -ENOBUFS)
		return error;
	error = make_room(pool, FOR_READER);
	return error ? error : -EAGAIN;
}

/* Room is not made with the page busy: the program's log may be asked for. */
VMSI_HOT
int vmsi_miss_begin(struct vms_pool *pool, uint64_t page, uint64_t seen, uint32_t *slot)
{
	int error = vmsi_miss_try(pool, page, seen, slot);

	if (error != -ENOBUFS)
		return error;
	error = vmsi_make_room(pool);
	return error ? error : -EAGAIN;
}

void vmsi_miss_abort(struct vms_pool *pool, uint64_t page, uint32_t slot)
{
	/* A pager brings nothing where it fails. */
	if (!vmsi_pool_has(pool, VMS_POOL_TRANSPARENT))
		(void)vmsi_room_drop_memory(pool, page);
	vmsi_latch_acquire(&pool->lock);
	vmsi_room_give(pool, slot);
	vmsi_latch_release(&pool->lock);
	vmsi_word_give_back(vmsi_pool_word(pool, page));
}

/* --- a miss ----------------------------------------------------------------------------------------- */

static unsigned place_of(uint64_t nanoseconds)
{
	const uint64_t microseconds = nanoseconds / 1000;
	const unsigned place = microseconds ?
		64 - (unsigned)__builtin_clzll(microseconds) : 0;

	return place < VMS_POOL_TIMES ? place : VMS_POOL_TIMES - 1;
}

__attribute__((noinline))
static void count_time(struct vmsi_stripe *stripe, uint64_t nanoseconds)
{
	vmsi_pool_tally(&stripe->nanoseconds, nanoseconds);
	vmsi_pool_tally(&stripe->times[place_of(nanoseconds)], 1);
}

VMSI_HOT
uint64_t vmsi_miss_clock(struct vms_pool *pool)
{
	struct vmsi_stripe *stripe = vmsi_pool_stripe(pool);
	const uint64_t begun = atomic_load_explicit(&stripe->begun, memory_order_relaxed);

	atomic_store_explicit(&stripe->begun, begun + 1, memory_order_relaxed);
	return begun % VMS_POOL_TIMED == 0 ? vmsi_host.clock() : 0;
}

VMSI_HOT
void vmsi_miss_count(struct vms_pool *pool, uint64_t began)
{
	struct vmsi_stripe *stripe = vmsi_pool_stripe(pool);

	vmsi_pool_tally(&stripe->misses, 1);
	if (began)
		count_time(stripe, vmsi_host.clock() - began);
}

/* As the process has it: the child of a fork may have a snapshot. */
VMSI_HOT
static int read_page(struct vms_pool *pool, uint64_t page, char *buffer)
{
	if (vmsi_pool_is_snapshot(pool))
		return vmsi_snapshot_read(pool, page, buffer);
	return vmsi_pool_read(pool, page, 1, buffer);
}

/* The page is busy and has a slot. */
static int read_in(struct vms_pool *pool, uint64_t page, uint32_t slot,
		   enum vmsi_page_hold hold, uint64_t *word)
{
	int error;

	if (vmsi_pool_has(pool, VMS_POOL_TRANSPARENT))
		return vmsi_bring_page(pool, page, slot, hold, word);
	error = read_page(pool, page, vmsi_pool_at(pool, page, slot));
	/* What is aside of a page that is about to be changed is of no use any more. */
	if (!error && hold == VMSI_WRITE && pool->store.kind == VMSI_STORE_MEMORY)
		vmsi_aside_drop(&pool->store.aside, page);
	if (!error)
		*word = vmsi_word_publish_with(vmsi_pool_word(pool, page), slot, hold,
					       vmsi_lend_bits(pool, slot));
	return error;
}

static int bring_in(struct vms_pool *pool, uint64_t page, uint64_t seen,
		    enum vmsi_page_hold hold, uint64_t *word)
{
	uint32_t slot;
	int error = pool->lent_most && hold != VMSI_WRITE ?
		begin_reading(pool, page, seen, &slot) :
		vmsi_miss_begin(pool, page, seen, &slot);

	if (error)
		return error;
	error = read_in(pool, page, slot, hold, word);
	if (error)
		vmsi_miss_abort(pool, page, slot);
	return error;
}

/* The page was seen absent. Returns -EAGAIN: look again. */
static int miss(struct vms_pool *pool, uint64_t page, uint64_t seen, enum vmsi_page_hold hold,
		uint64_t *word)
{
	const uint64_t began = vmsi_miss_clock(pool);
	int error;

	vmsi_ghost_prefetch(&pool->ghost, page);
	do {
		error = bring_in(pool, page, seen, hold, word);
		seen = vmsi_word_load(vmsi_pool_word(pool, page));
	} while (error == -EAGAIN &&
		 !(seen & (VMSI_WORD_RESIDENT | VMSI_WORD_LOCK)));
	if (!error)
		vmsi_miss_count(pool, began);
	return error;
}

int vmsi_miss_keep(struct vms_pool *pool, uint64_t page, enum vmsi_keep_way way)
{
	for (;;) {
		int error;

		vmsi_latch_acquire(&pool->lock);
		error = vmsi_lend_keep(pool, page);
		vmsi_latch_release(&pool->lock);
		if (error != -ENOBUFS)
			return -EAGAIN;
		if (way == VMSI_KEEP_PATIENTLY)
			error = make_room(pool, FOR_ANY);
		else
			error = vmsi_evict(pool, NULL) > 0 ? 0 : -ENOSPC;
		if (error)
			return error;
	}
}

/* Somebody was changing it when this process was forked, and does not end that here. */
static bool is_torn(const struct vms_pool *pool, uint64_t seen)
{
	return vmsi_word_lock(seen) == VMSI_WORD_WRITER && vmsi_pool_is_snapshot(pool);
}

/* Signals are let in meanwhile: who has the page may take long. */
__attribute__((noinline))
static void wait_for_holder(struct vms_pool *pool, uint64_t page, uint64_t seen)
{
	struct vmsi_shield *shield = vmsi_shield_pause();

	vmsi_pool_tally(&vmsi_pool_stripe(pool)->waits, 1);
	vmsi_word_wait(vmsi_pool_word(pool, page), seen);
	vmsi_shield_resume(shield);
}

int vmsi_hold_opened(struct vms_pool *pool, uint64_t page, enum vmsi_page_hold hold,
		     uint64_t word)
{
	int error;

	if (hold != VMSI_WRITE || !vmsi_pool_has(pool, VMS_POOL_TRANSPARENT) ||
	    word & VMSI_WORD_WRITABLE)
		return 0;
	error = vmsi_bring_open(pool, page);
	if (error)
		(void)vmsi_word_unlock(vmsi_pool_word(pool, page),
				       pool->view.version_shift);
	return error;
}

VMSI_HOT
int vmsi_hold_page(struct vms_pool *pool, uint64_t page, enum vmsi_page_hold hold, uint64_t *word)
{
	if (hold == VMSI_READ)
		vmsi_word_stand_back(vmsi_pool_word(pool, page));
	for (;;) {
		uint64_t seen;
		int error = -EAGAIN;

		switch (vmsi_word_try(vmsi_pool_word(pool, page), hold, &seen)) {
		case VMSI_WORD_GOT:
			vmsi_pool_tally(&vmsi_pool_stripe(pool)->hits, 1);
			*word = seen;
			return vmsi_hold_opened(pool, page, hold, seen);
		case VMSI_WORD_HELD:
			if (is_torn(pool, seen))
				return -EBUSY;
			if (vmsi_word_lock(seen))
				wait_for_holder(pool, page, seen);
			else
				error = vmsi_miss_keep(pool, page, VMSI_KEEP_PATIENTLY);
			break;
		case VMSI_WORD_ABSENT:
			error = miss(pool, page, seen, hold, word);
			break;
		}
		if (error != -EAGAIN)
			return error;
	}
}
