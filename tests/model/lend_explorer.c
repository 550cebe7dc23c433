/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "lend_world.h"

/*
 * Slots that are lent: word.c, latch.c, slots.c and aside/lend.c of src/pool with the steps
 * of lend_steps.h, in all interleavings of up to four threads on two pages that are aside, and
 * a third that has the only slot of its own and cannot leave. They read and change pages,
 * free them, put them aside and evict them, in frames and at addresses.
 *
 * - What is read is the page; who changes it has what was there last.
 * - No page is changed in a slot that is lent, and a page is aside before it leaves.
 * - A page's word and the queue of its slot agree in whether it is lent; each slot is in one
 *   queue, and of one page; no more are lent than may be, nor are there more than there is
 *   room for.
 * - Nobody sleeps for ever; who reads gets a slot, whatever else there is.
 *
 * --must-find FAULT [WORLD]: with this fault the worlds, or that one, must fail.
 * no-wake: who sleeps is not woken;
 * unmarked: the word of a page that is lent does not say so; kept-full: a page keeps its slot
 * where there is no room; writes: a page is changed though it is lent; drops-late: the
 * memory of a page is dropped when its word is free; hinted: a hint moves a slot that is lent.
 */

static const struct explored worlds = {
	.memory = &lent.turns,
	.memory_bytes = sizeof(lent),
	.reset = lend_reset,
	.check = lend_check,
	.before_step = lend_note_pool,
};

/* In frames: at addresses it is the same, and three times as many states. */
static void explore_eviction(void)
{
	WORLD(&worlds, "another page is put aside, and leaves",
	      { .act = read_then_change, .count = 1 },
	      { .act = put_aside, .count = 1, .place = FULL },
	      { .act = evict_some, .count = 1 });
}

static void explore_kind(unsigned flags)
{
	lend_flags = flags;
	WORLD(&worlds, "two who read two pages", { .act = read_page, .count = 1 },
	      { .act = read_page, .count = 1, .place = 1 });
	WORLD(&worlds, "two who read one page", { .act = read_page, .count = 1 },
	      { .act = read_page, .count = 1 });
	WORLD(&worlds, "one changes what another reads, and there is no room",
	      { .act = change_page, .count = 1 }, { .act = read_page, .count = 2 });
	WORLD(&worlds, "a page is read and changed when there is room",
	      { .act = read_then_change, .count = 1 },
	      { .act = free_page, .count = 1, .place = FULL });
	WORLD(&worlds, "a page is read and upgraded, and another one is read",
	      { .act = read_then_upgrade, .count = 1 },
	      { .act = read_page, .count = 1, .place = 1 });
	WORLD(&worlds, "a page is read and upgraded when there is room",
	      { .act = read_then_upgrade, .count = 1 },
	      { .act = free_page, .count = 1, .place = FULL });
	WORLD(&worlds, "a page that is lent is freed", { .act = read_page, .count = 2 },
	      { .act = free_page, .count = 1 });
	WORLD(&worlds, "a hint at a page that is lent", { .act = read_page, .count = 2 },
	      { .act = hint_at_page, .count = 1 });
}

int main(int argc, char **argv)
{
	static const char *const names[] = {
		"", "no-wake", "unmarked", "kept-full", "writes", "drops-late", "hinted",
		NULL,
	};

	read_fault(argc, argv, names);
	explore_kind(0);
	explore_eviction();
	explore_kind(VMS_POOL_ADDRESSED);
	return end_of_worlds(names);
}
