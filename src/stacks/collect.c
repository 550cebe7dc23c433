/* SPDX-License-Identifier: MIT */
#include "stacks/collect.h"

#include <time.h>

#include <vmspace/mapping.h>

#include "base/mman.h"
#include "space/inside.h"

/*
 * Gives memory of free stacks back. A pass has a number, looks at each slot once and
 * goes by the stamp of the slot, the number of the pass in which it was given back:
 *
 *   this pass          nothing
 *   the one before     what lies deeper than keep: it is used again and again
 *   an earlier one     everything, and the stamp becomes STAMP_EMPTY
 *   STAMP_EMPTY        nothing: it has no memory
 */

/* So many slots a give looks at. */
#define PART 64

#define STAMP_BITS (32 - SLOT_STATE_BITS)
#define STAMP_MASK (((uint32_t)1 << STAMP_BITS) - 1)

_Static_assert(VMSI_FIRST_PASS > STAMP_EMPTY + 1, "no pass is STAMP_EMPTY");

static uint64_t now(void)
{
	struct timespec time;

	(void)clock_gettime(CLOCK_MONOTONIC_COARSE, &time);
	return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

/* --- one slot ------------------------------------------------------------------- */

/* The bytes at the top that a stack keeps. */
static size_t kept(const struct vms_stacks *stacks, uint32_t stamp, bool all)
{
	const uint32_t pass = atomic_load(&stacks->pass);
	const uint32_t passes = (pass - stamp) & STAMP_MASK;

	if (stamp == STAMP_EMPTY)
		return stacks->size;
	if (all || passes > 1)
		return 0;
	return passes == 0 ? stacks->size : vmsi_min(stacks->keep, stacks->size);
}

/*
 * Locked memory cannot go back; where the host refuses for another reason the next
 * pass tries again.
 */
static bool give_back(struct vms_stacks *stacks, size_t number, size_t length)
{
	const int earlier = errno;
	const bool done = vms_madvise(stacks->space,
				      (void *)vmsi_slot_base(stacks, number),
				      length, MADV_DONTNEED) == 0;

	errno = earlier;
	if (done)
		atomic_fetch_add(&stacks->collected, 1);
	return done;
}

/* Who takes the slot meanwhile waits for the pool's lock, which the caller holds. */
static void collect_slot(struct vms_stacks *stacks, size_t number, bool all)
{
	_Atomic uint32_t *state = &stacks->slots[number].state;
	uint32_t word = atomic_load(state);
	const uint32_t stamp = word >> SLOT_STATE_BITS;
	const size_t keep = kept(stacks, stamp, all);

	if (vmsi_slot_state(word) != SLOT_FREE || keep == stacks->size ||
	    !atomic_compare_exchange_strong(
		    state, &word, vmsi_slot_word(SLOT_TRIMMING, stamp)))
		return;
	if (give_back(stacks, number, stacks->size - keep) && keep == 0)
		word = vmsi_slot_word(SLOT_FREE, STAMP_EMPTY);
	atomic_store(state, word);
}

/* --- passes ----------------------------------------------------------------------- */

static void begin_pass(struct vms_stacks *stacks)
{
	uint32_t pass = (atomic_load(&stacks->pass) + 1) & STAMP_MASK;

	atomic_store(&stacks->pass, pass == STAMP_EMPTY ? pass + 1 : pass);
	stacks->pass_began = now();
	stacks->cursor = 0;
}

/* Go on with the pass, for at most so many slots. */
static void go_on(struct vms_stacks *stacks, size_t most)
{
	const size_t made = atomic_load(&stacks->made);

	while (stacks->cursor < made && most-- > 0)
		collect_slot(stacks, stacks->cursor++, false);
}

static bool is_over(const struct vms_stacks *stacks)
{
	return stacks->cursor >= atomic_load(&stacks->made);
}

void vmsi_stacks_age(struct vms_stacks *stacks)
{
	if (stacks->age == VMS_STACKS_NEVER || !vmsi_lock_try(&stacks->lock))
		return;
	if (is_over(stacks) && now() - stacks->pass_began >= stacks->age)
		begin_pass(stacks);
	go_on(stacks, PART);
	vmsi_lock_release(&stacks->lock);
}

/* The lock is released between slots, for those who wait to take one. */
static void collect_all(struct vms_stacks *stacks)
{
	const size_t made = atomic_load(&stacks->made);

	for (size_t i = 0; i < made; i++) {
		vmsi_lock_acquire(&stacks->lock);
		collect_slot(stacks, i, true);
		vmsi_lock_release(&stacks->lock);
	}
}

static void make_pass(struct vms_stacks *stacks)
{
	bool over;

	vmsi_lock_acquire(&stacks->lock);
	begin_pass(stacks);
	vmsi_lock_release(&stacks->lock);
	do {
		vmsi_lock_acquire(&stacks->lock);
		go_on(stacks, 1);
		over = is_over(stacks);
		vmsi_lock_release(&stacks->lock);
	} while (!over);
}

int vms_stacks_collect(vms_stacks *stacks, unsigned flags)
{
	if (!stacks || (flags & ~VMS_STACKS_COLLECT_ALL))
		return vmsi_status(-EINVAL);
	if (flags & VMS_STACKS_COLLECT_ALL)
		collect_all(stacks);
	else
		make_pass(stacks);
	return 0;
}
