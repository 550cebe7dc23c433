/* SPDX-License-Identifier: MIT */
#ifndef VMSI_POOL_WORD_H
#define VMSI_POOL_WORD_H

#include <stdbool.h>
#include <stdint.h>

#include <vmspace/pool.h>

#include "pool/atomic.h"

/*
 * The word of a page.
 *
 *   bits 0..7    the lock: 0 nobody; 1..253 so many readers; 254 busy (the page is being
 *                brought in or taken out); 255 one writer
 *   bits 8..9    heat: how much it was used lately
 *   bit  10      resident: the page is in a slot
 *   bit  11      dirty: it differs from the file, and no write of it has begun since
 *   bit  12      somebody sleeps on the word
 *   bit  13      a copy of it is being written. It may be read and changed meanwhile, but
 *                neither leave nor be written a second time
 *   bit  14      turning: somebody sets or lifts the write protection of the page
 *   bit  15      writable: stores by plain pointers work, and so it is dirty. Of a page that
 *                is not dirty: lent, it may be read only (aside/lend.h)
 *   from 16 on   the slot, as many bits as the pool has slots
 *   the rest     version: one more when a writer lets go, and when a page leaves its slot
 *
 * The states of the lock, with the function of each edge (vmsi_word_...):
 *
 *                 take_absent                    publish
 *   ABSENT, free -------------> ABSENT, busy ------------------+
 *      ^  ^                          |  give_back              |
 *      |  +--------------------------+                         v
 *      |         evict                        try        +-> RESIDENT, readers
 *      +------------------------ RESIDENT, free <--------+
 *      |  drop               take_resident |  ^    unlock  +-> RESIDENT, writer
 *      +------------------ RESIDENT, busy <+  | give_back       | lower: to one reader
 *                                   +---------+
 *
 * A copy is made by a reader, who makes its fix WRITING and not dirty by begin_writing;
 * end_writing, which anybody may call who began it, makes it dirty again if the write has
 * failed. So a change that comes between leaves the page dirty, whatever becomes of the
 * write, and no version has to be compared for that.
 *
 * Bits 14 and 15 are for pages that are stored to by plain pointers (VMS_POOL_TRANSPARENT):
 *
 *              begin_opening                  end_turn
 *   PROTECTED ---------------> TURNING, dirty ----------> WRITABLE, dirty
 *      ^                                                        |
 *      |  end_turn                       begin_writing_stored   |
 *      +------------ TURNING, WRITING, not dirty <--------------+
 *
 * A page that is neither turning nor dirty is protected: the first store to it faults. So
 * it has had no store since a copy of it was made to be written.
 */

#define VMSI_WORD_READERS UINT64_C(253)
#define VMSI_WORD_BUSY UINT64_C(254)
#define VMSI_WORD_WRITER UINT64_C(255)
#define VMSI_WORD_LOCK VMS_POOL_WORD_LOCK

#define VMSI_WORD_HEAT VMS_POOL_WORD_HOT
#define VMSI_WORD_WARMER UINT64_C(0x100)

#define VMSI_WORD_RESIDENT VMS_POOL_WORD_RESIDENT
#define VMSI_WORD_DIRTY (UINT64_C(1) << 11)
#define VMSI_WORD_WAITERS (UINT64_C(1) << 12)
#define VMSI_WORD_WRITING (UINT64_C(1) << 13)
#define VMSI_WORD_TURNING (UINT64_C(1) << 14)
#define VMSI_WORD_WRITABLE (UINT64_C(1) << 15)

/* Less bits than these for a version could come round while a reader is asleep. */
#define VMSI_WORD_VERSION_BITS 24
#define VMSI_WORD_SLOT_BITS (64 - VMS_POOL_WORD_SLOT_SHIFT - VMSI_WORD_VERSION_BITS)

enum vmsi_page_hold {
	VMSI_LOOK,   /* nothing is held */
	VMSI_READ,
	VMSI_WRITE,
};

enum vmsi_word_answer {
	VMSI_WORD_GOT,
	VMSI_WORD_HELD,    /* by somebody else: wait; or lent, which a writer cannot have */
	VMSI_WORD_ABSENT,
};

static inline uint64_t vmsi_word_lock(uint64_t word)
{
	return word & VMSI_WORD_LOCK;
}

static inline unsigned vmsi_word_heat(uint64_t word)
{
	return (unsigned)((word & VMSI_WORD_HEAT) / VMSI_WORD_WARMER);
}

static inline uint64_t vmsi_word_slot(uint64_t word, unsigned version_shift)
{
	const unsigned bits = version_shift - VMS_POOL_WORD_SLOT_SHIFT;

	return (word >> VMS_POOL_WORD_SLOT_SHIFT) & ((UINT64_C(1) << bits) - 1);
}

/* Whether a page can leave: it is there, nobody has it, and the file has it, too. */
static inline bool vmsi_word_can_leave(uint64_t word)
{
	return (word & (VMSI_WORD_LOCK | VMSI_WORD_RESIDENT | VMSI_WORD_DIRTY |
			VMSI_WORD_WRITING)) == VMSI_WORD_RESIDENT;
}

/*
 * Whether a page that plain pointers store to could leave but that it is dirty. Where a part of
 * it may be protected, a store by who takes it out would be a fault that waits for it.
 */
static inline bool vmsi_word_can_leave_dirty(uint64_t word)
{
	const uint64_t wanted = VMSI_WORD_RESIDENT | VMSI_WORD_DIRTY | VMSI_WORD_WRITABLE;

	return (word & (wanted | VMSI_WORD_LOCK | VMSI_WORD_WRITING | VMSI_WORD_TURNING)) ==
		wanted;
}

/*
 * Whether a page is in a slot that is lent, so that it may not become dirty. What is writable
 * is dirty, so the bit alone has no other meaning.
 */
#define VMSI_WORD_LENT VMSI_WORD_WRITABLE

static inline bool vmsi_word_is_lent(uint64_t word)
{
	return (word & (VMSI_WORD_LENT | VMSI_WORD_DIRTY)) == VMSI_WORD_LENT;
}

/* Whether a page is being brought to where stores work before its word is published. */
static inline bool vmsi_word_is_coming_dirty(uint64_t word)
{
	return (word & (VMSI_WORD_DIRTY | VMSI_WORD_RESIDENT)) == VMSI_WORD_DIRTY;
}

static inline uint64_t vmsi_word_warmed(uint64_t word)
{
	return (word & VMSI_WORD_HEAT) == VMSI_WORD_HEAT ? word :
							  word + VMSI_WORD_WARMER;
}

/*
 * Try to lock the word of a page that is there. *seen is what it was found, or made.
 * A writer makes it dirty.
 */
static inline enum vmsi_word_answer vmsi_word_try(uint64_t *word, enum vmsi_page_hold hold,
						  uint64_t *seen)
{
	uint64_t value = vmsi_word_load(word), next;

	do {
		const uint64_t lock = vmsi_word_lock(value);

		*seen = value;
		if (lock >= VMSI_WORD_BUSY)
			return VMSI_WORD_HELD;
		if (!(value & VMSI_WORD_RESIDENT))
			return VMSI_WORD_ABSENT;
		next = vmsi_word_warmed(value);
		if (hold == VMSI_READ)
			next++;
		if (hold == VMSI_WRITE)
			next |= VMSI_WORD_WRITER | VMSI_WORD_DIRTY;
		if ((hold == VMSI_READ && lock == VMSI_WORD_READERS) ||
		    (hold == VMSI_WRITE && (lock != 0 || vmsi_word_is_lent(value))))
			return VMSI_WORD_HELD;
	} while (next != value && !vmsi_word_swap(word, &value, next));
	if (hold == VMSI_WRITE)
		vmsi_word_fence();
	*seen = next;
	return VMSI_WORD_GOT;
}

/*
 * The same at the first try, of a page that nobody else uses. 0: look closely. Otherwise
 * the word as it is then.
 */
static inline uint64_t vmsi_word_read_at_once(uint64_t *word)
{
	uint64_t value = vmsi_word_load(word);
	const uint64_t next = vmsi_word_warmed(value) + 1;

	/* Where somebody sleeps, it may be a writer: see vmsi_word_stand_back. */
	if (vmsi_word_lock(value) >= VMSI_WORD_READERS ||
	    (value & (VMSI_WORD_RESIDENT | VMSI_WORD_WAITERS)) != VMSI_WORD_RESIDENT ||
	    !vmsi_word_swap(word, &value, next))
		return 0;
	return next;
}

static inline uint64_t vmsi_word_write_at_once(uint64_t *word)
{
	uint64_t value = vmsi_word_load(word);
	const uint64_t next = vmsi_word_warmed(value) | VMSI_WORD_WRITER |
		VMSI_WORD_DIRTY;

	/* Plain pointers do not come here, so that the last bit says that it is lent. */
	if ((value & (VMSI_WORD_LOCK | VMSI_WORD_RESIDENT | VMSI_WORD_LENT)) !=
		    VMSI_WORD_RESIDENT ||
	    !vmsi_word_swap(word, &value, next))
		return 0;
	vmsi_word_fence();
	return next;
}

/* Give a lock back at the first try, where nobody sleeps. false: look closely. */
static inline bool vmsi_word_unlock_at_once(uint64_t *word, unsigned version_shift)
{
	uint64_t value = vmsi_word_load(word), next;
	const uint64_t lock = vmsi_word_lock(value);

	if (lock == VMSI_WORD_WRITER)
		next = (value & ~VMSI_WORD_LOCK) + (UINT64_C(1) << version_shift);
	else
		next = value - 1;
	if (lock == 0 || lock == VMSI_WORD_BUSY || value & VMSI_WORD_WAITERS)
		return false;
	return vmsi_word_swap(word, &value, next);
}

/*
 * Lock it for writing if it is as seen but for what readers change, and not lent.
 */
bool vmsi_word_upgrade(uint64_t *word, uint64_t ticket);

/* Give a lock of a reader or a writer back; false: nobody had one. */
bool vmsi_word_unlock(uint64_t *word, unsigned version_shift);

/* A writer becomes a reader; false: there is no writer. */
bool vmsi_word_lower(uint64_t *word, unsigned version_shift);

/* Make what was seen absent and free, busy. */
bool vmsi_word_take_absent(uint64_t *word, uint64_t seen);

/* Make a page that was seen resident and free, dirty or not but not being written, busy. */
bool vmsi_word_take_resident(uint64_t *word, uint64_t seen);

/* Busy no more, and else as it was. */
void vmsi_word_give_back(uint64_t *word);

/* The same, but what was read of the page meanwhile was not to be believed. */
void vmsi_word_renew(uint64_t *word, unsigned version_shift);

/* What was absent and busy is in a slot, and held so. Returns the word. */
uint64_t vmsi_word_publish(uint64_t *word, uint64_t slot, enum vmsi_page_hold hold);

/* The same, and it has bits besides: DIRTY, WRITABLE. */
uint64_t vmsi_word_publish_with(uint64_t *word, uint64_t slot, enum vmsi_page_hold hold,
				uint64_t bits);

/* What was busy has left its slot. */
void vmsi_word_drop(uint64_t *word, unsigned version_shift);

/* What can leave, as seen, leaves; false: it has changed. */
bool vmsi_word_evict(uint64_t *word, uint64_t seen, unsigned version_shift);

/* Make it so hot, if it is as seen; false: it has changed. */
bool vmsi_word_set_heat(uint64_t *word, uint64_t seen, unsigned heat);

/*
 * Hold a dirty page as a reader, to copy it; it does not become warmer by that. *seen is
 * what the word was. ABSENT: it is not there, or not dirty.
 */
enum vmsi_word_answer vmsi_word_hold_dirty(uint64_t *word, uint64_t *seen);

/* A reader has a copy of a dirty page, and lets the page go to have the copy written. */
void vmsi_word_begin_writing(uint64_t *word);

/*
 * Make a page dirty that is held, and is not changed by that; or one that is absent and
 * busy, and about to be where stores work: before one can come, so that who writes all that
 * is dirty waits until it is published.
 */
void vmsi_word_make_dirty(uint64_t *word);
/*
 * Undo that, of a page that was not changed since, and so need not be written, or that was
 * not brought.
 */
void vmsi_word_make_clean(uint64_t *word);

/*
 * A store has come to a page that was seen protected and neither busy nor turning. false:
 * it has changed to what is seen then.
 */
bool vmsi_word_begin_opening(uint64_t *word, uint64_t *seen);

/*
 * A reader who has it is to copy a dirty page that may be writable: it is turning, WRITING,
 * and neither dirty nor writable. false: somebody else is turning it.
 */
bool vmsi_word_begin_writing_stored(uint64_t *word);

/* Wait until nobody turns it. Returns the word as it is then. */
uint64_t vmsi_word_wait_for_turn(uint64_t *word);

/* It is turning no more, and has the bits, of DIRTY and WRITABLE, besides. */
void vmsi_word_end_turn(uint64_t *word, uint64_t bits);

/*
 * It could not be protected, and is not written: dirty, and not writable for sure, since a
 * part of it may be protected.
 */
void vmsi_word_abort_writing_stored(uint64_t *word);

/* The write of the copy is over. */
void vmsi_word_end_writing(uint64_t *word, bool has_failed);

/*
 * In the child of a fork that has the word as a thread had it that is not there: what
 * was held for reading, or about to come or to go, is free, and what was held for writing
 * stays so. What was being written is dirty.
 */
void vmsi_word_mend(uint64_t *word, unsigned version_shift);

/* Readers sleep only where there is a writer, or as many readers as there can be. */
static inline bool vmsi_word_is_wanted(uint64_t word)
{
	return (word & VMSI_WORD_WAITERS) && (word & VMSI_WORD_RESIDENT) &&
		vmsi_word_lock(word) < VMSI_WORD_READERS;
}

/* What stand_back does where it is wanted. */
void vmsi_word_let_by(uint64_t *word);

/*
 * A reader that comes lets the readers there go first, where a writer waits for that:
 * else readers that overlap would keep it out for ever. Not where nothing changes any
 * more: the caller may be one of these readers itself.
 */
static inline void vmsi_word_stand_back(uint64_t *word)
{
	if (vmsi_word_is_wanted(vmsi_word_load(word)))
		vmsi_word_let_by(word);
}

/*
 * Sleep until the word is not as seen, for a while at most. What is seen must be of a
 * kind that somebody ends: a lock, or a write.
 */
void vmsi_word_wait(uint64_t *word, uint64_t seen);

#endif
