/* SPDX-License-Identifier: MIT */
#include "pool/word.h"

#include <limits.h>

#include "base/hot.h"
#include "base/panic.h"
#include "host/host.h"

/* What a sleep is at most; nobody depends on it. */
#define SLEEP_NANOSECONDS UINT64_C(100000000)

/* --- to wait ----------------------------------------------------------------------------- */

/* The host looks at 32 bits: the lower ones, where the lock is. */
static const void *lower_half(const uint64_t *word)
{
	return word;
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the lower half is first");

static void wake(uint64_t *word, uint64_t before)
{
	if (before & VMSI_WORD_WAITERS)
		(void)vmsi_host.futex_wake(lower_half(word), INT_MAX);
}

void vmsi_word_wait(uint64_t *word, uint64_t seen)
{
	for (unsigned i = 0; i < VMSI_POOL_LOOKS; i++) {
		if (vmsi_word_load(word) != seen)
			return;
		vmsi_pause();
	}
	if (!(seen & VMSI_WORD_WAITERS) &&
	    !vmsi_word_swap(word, &seen, seen | VMSI_WORD_WAITERS))
		return;
	seen |= VMSI_WORD_WAITERS;
	(void)vmsi_host.futex_wait(lower_half(word), (uint32_t)seen, SLEEP_NANOSECONDS);
}

void vmsi_word_let_by(uint64_t *word)
{
	uint64_t before = 0;

	for (unsigned i = 0; i < VMSI_POOL_PATIENCE; i++) {
		const uint64_t seen = vmsi_word_load(word);

		if (!vmsi_word_is_wanted(seen))
			return;
		if (seen == before) {
			wake(word, vmsi_word_take_bits(word, VMSI_WORD_WAITERS));
			return;
		}
		vmsi_word_wait(word, seen);
		before = seen;
	}
}

/* --- to let go ------------------------------------------------------------------------------ */

/*
 * Change the word from what only its holder may leave: next says how. Whoever sleeps is
 * woken.
 */
#define LET_GO(word, value, next)                                      \
	do {                                                           \
		uint64_t value = vmsi_word_load(word);                 \
								       \
		while (!vmsi_word_swap(word, &value,                   \
				       (next) & ~VMSI_WORD_WAITERS))   \
			;                                              \
		wake(word, value);                                     \
	} while (0)

/* Somebody else, whose page it is not, may have given it back just then. */
static bool unlock_reader(uint64_t *word)
{
	uint64_t value = vmsi_word_load(word), lock;

	do {
		lock = vmsi_word_lock(value);
		if (lock == 0 || lock >= VMSI_WORD_BUSY)
			return false;
	} while (!vmsi_word_swap(word, &value, value - 1));
	/*
	 * A writer waits for the last reader. The bit stays until it has come: whoever runs
	 * just now, such as this reader, would be there again before it.
	 */
	if (lock == 1)
		wake(word, value);
	else if (lock == VMSI_WORD_READERS && value & VMSI_WORD_WAITERS)
		wake(word, vmsi_word_take_bits(word, VMSI_WORD_WAITERS));
	return true;
}

bool vmsi_word_unlock(uint64_t *word, unsigned version_shift)
{
	const uint64_t lock = vmsi_word_lock(vmsi_word_load(word));

	if (lock == 0 || lock == VMSI_WORD_BUSY)
		return false;
	if (lock != VMSI_WORD_WRITER)
		return unlock_reader(word);
	LET_GO(word, value,
	       (value & ~VMSI_WORD_LOCK) + (UINT64_C(1) << version_shift));
	return true;
}

bool vmsi_word_lower(uint64_t *word, unsigned version_shift)
{
	if (vmsi_word_lock(vmsi_word_load(word)) != VMSI_WORD_WRITER)
		return false;
	LET_GO(word, value,
	       (value & ~VMSI_WORD_LOCK) + 1 + (UINT64_C(1) << version_shift));
	return true;
}

/* --- to take -------------------------------------------------------------------------------- */

bool vmsi_word_upgrade(uint64_t *word, uint64_t ticket)
{
	uint64_t value = vmsi_word_load(word);

	do {
		if ((value ^ ticket) >> VMS_POOL_WORD_SLOT_SHIFT ||
		    !(value & VMSI_WORD_RESIDENT) || vmsi_word_lock(value) != 0 ||
		    vmsi_word_is_lent(value))
			return false;
	} while (!vmsi_word_swap(word, &value,
				 value | VMSI_WORD_WRITER | VMSI_WORD_DIRTY));
	vmsi_word_fence();
	return true;
}

VMSI_HOT
bool vmsi_word_take_absent(uint64_t *word, uint64_t seen)
{
	return vmsi_word_swap(word, &seen, seen | VMSI_WORD_BUSY);
}

bool vmsi_word_take_resident(uint64_t *word, uint64_t seen)
{
	if (!vmsi_word_swap(word, &seen, seen | VMSI_WORD_BUSY))
		return false;
	vmsi_word_fence();
	return true;
}

void vmsi_word_give_back(uint64_t *word)
{
	LET_GO(word, value, value & ~VMSI_WORD_LOCK);
}

void vmsi_word_renew(uint64_t *word, unsigned version_shift)
{
	LET_GO(word, value,
	       (value & ~VMSI_WORD_LOCK) + (UINT64_C(1) << version_shift));
}

/* --- pages that come and go ------------------------------------------------------------------- */

static uint64_t lock_of(enum vmsi_page_hold hold)
{
	switch (hold) {
	case VMSI_READ:
		return 1;
	case VMSI_WRITE:
		return VMSI_WORD_WRITER | VMSI_WORD_DIRTY;
	case VMSI_LOOK:
		break;
	}
	return 0;
}

VMSI_HOT
uint64_t vmsi_word_publish_with(uint64_t *word, uint64_t slot, enum vmsi_page_hold hold,
				uint64_t more)
{
	const uint64_t bits = lock_of(hold) | VMSI_WORD_RESIDENT |
		slot << VMS_POOL_WORD_SLOT_SHIFT | more;
	uint64_t value = vmsi_word_load(word), next;

	do
		next = (value & ~(VMSI_WORD_LOCK | VMSI_WORD_HEAT |
				  VMSI_WORD_WAITERS)) | bits;
	while (!vmsi_word_swap(word, &value, next));
	wake(word, value);
	return next;
}

uint64_t vmsi_word_publish(uint64_t *word, uint64_t slot, enum vmsi_page_hold hold)
{
	return vmsi_word_publish_with(word, slot, hold, 0);
}

/* What is left of a word when its page has left. */
static uint64_t left(uint64_t value, unsigned version_shift)
{
	const uint64_t version = UINT64_C(1) << version_shift;

	return ((value & ~(version - 1)) + version) | (value & VMSI_WORD_WAITERS);
}

void vmsi_word_drop(uint64_t *word, unsigned version_shift)
{
	LET_GO(word, value, left(value, version_shift));
}

/* Whoever is about to be woken by the last reader may have its bit there still. */
bool vmsi_word_evict(uint64_t *word, uint64_t seen, unsigned version_shift)
{
	if (!vmsi_word_swap(word, &seen, left(seen, version_shift)))
		return false;
	vmsi_word_fence();
	return true;
}

bool vmsi_word_set_heat(uint64_t *word, uint64_t seen, unsigned heat)
{
	return vmsi_word_swap(word, &seen, (seen & ~VMSI_WORD_HEAT) |
			      heat * VMSI_WORD_WARMER);
}

/* --- after a fork ------------------------------------------------------------------------------- */

/* No other thread is there. A word that needs nothing is only read. */
void vmsi_word_mend(uint64_t *word, unsigned version_shift)
{
	const uint64_t value = vmsi_word_load(word);
	uint64_t next = value & ~(VMSI_WORD_WAITERS | VMSI_WORD_WRITING);

	if (value & VMSI_WORD_WRITING)
		next |= VMSI_WORD_DIRTY;
	if (vmsi_word_lock(value) != VMSI_WORD_WRITER)
		next &= ~VMSI_WORD_LOCK;
	if (vmsi_word_lock(value) == VMSI_WORD_BUSY && value & VMSI_WORD_RESIDENT)
		next = left(next, version_shift);
	if (next != value)
		__atomic_store_n(word, next, __ATOMIC_RELEASE);
}

/* --- pages that are written --------------------------------------------------------------------- */

enum vmsi_word_answer vmsi_word_hold_dirty(uint64_t *word, uint64_t *seen)
{
	*seen = vmsi_word_load(word);
	do {
		if (vmsi_word_is_coming_dirty(*seen))
			return VMSI_WORD_HELD;
		if (!(*seen & VMSI_WORD_RESIDENT) || !(*seen & VMSI_WORD_DIRTY))
			return VMSI_WORD_ABSENT;
		if (vmsi_word_lock(*seen) >= VMSI_WORD_READERS)
			return VMSI_WORD_HELD;
	} while (!vmsi_word_swap(word, seen, *seen + 1));
	return VMSI_WORD_GOT;
}

void vmsi_word_begin_writing(uint64_t *word)
{
	vmsi_debug_check(!(vmsi_word_load(word) & VMSI_WORD_WRITING),
			 "PL3: a page is written twice at a time");
	LET_GO(word, value, ((value - 1) & ~VMSI_WORD_DIRTY) | VMSI_WORD_WRITING);
}

void vmsi_word_make_dirty(uint64_t *word)
{
	uint64_t value = vmsi_word_load(word);

	while (!vmsi_word_swap(word, &value, value | VMSI_WORD_DIRTY))
		;
}

void vmsi_word_make_clean(uint64_t *word)
{
	(void)vmsi_word_take_bits(word, VMSI_WORD_DIRTY);
}

void vmsi_word_end_writing(uint64_t *word, bool has_failed)
{
	const uint64_t dirty = has_failed ? VMSI_WORD_DIRTY : 0;

	LET_GO(word, value, (value & ~VMSI_WORD_WRITING) | dirty);
}

/* --- pages that are stored to by plain pointers --------------------------------------------------- */

bool vmsi_word_begin_opening(uint64_t *word, uint64_t *seen)
{
	return vmsi_word_swap(word, seen, *seen | VMSI_WORD_TURNING | VMSI_WORD_DIRTY);
}

bool vmsi_word_begin_writing_stored(uint64_t *word)
{
	uint64_t value = vmsi_word_load(word), next;

	do {
		if (value & VMSI_WORD_TURNING)
			return false;
		next = (value & ~(VMSI_WORD_DIRTY | VMSI_WORD_WRITABLE)) |
			VMSI_WORD_TURNING | VMSI_WORD_WRITING;
	} while (!vmsi_word_swap(word, &value, next));
	return true;
}

uint64_t vmsi_word_wait_for_turn(uint64_t *word)
{
	uint64_t seen = vmsi_word_load(word);

	while (seen & VMSI_WORD_TURNING) {
		vmsi_word_wait(word, seen);
		seen = vmsi_word_load(word);
	}
	return seen;
}

void vmsi_word_end_turn(uint64_t *word, uint64_t bits)
{
	LET_GO(word, value, (value & ~VMSI_WORD_TURNING) | bits);
}

void vmsi_word_abort_writing_stored(uint64_t *word)
{
	LET_GO(word, value,
	       (value & ~(VMSI_WORD_TURNING | VMSI_WORD_WRITING)) | VMSI_WORD_DIRTY);
}
