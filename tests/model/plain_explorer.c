/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "plain_world.h"

#undef memcpy

/*
 * How a page is protected and opened that plain pointers store to: word.c, plain/touch.c,
 * plain/bring.c and write/copy.c of src/pool with the steps of plain_steps.h, in all
 * interleavings of up to four threads on one page of two pages of the host. They load and
 * store, where a fault is resolved as by the handlers; change the page under a fix; evict
 * it, write it and flush it; and the host refuses at times, also when a part is done.
 *
 * - No store is lost, whenever it comes: a page leaves only when the file has its stores, and
 *   what is in the end neither dirty nor in memory is in the file.
 * - A load finds the last store.
 * - A flush that has ended well has in the file whatever was stored before it began.
 * - Changes under a fix are written whole.
 * - A page that is not dirty in the end is protected.
 * - Nobody sleeps for ever, nor tries again for ever where nobody else changes anything.
 *
 * --must-find FAULT [WORLD]: with this fault the worlds, or that one, must fail.
 * no-wake: who sleeps is not woken;
 * unprotected: a page is copied that was not protected; not-dirty: a store does not make the
 * page dirty; dirty-late: only when it works already; no-turn: who protects a page does not
 * say so; comes-clean: a page that comes where stores work is dirty only when it is
 * published; writing: a page leaves while it is being written; aborts-clean: a page that
 * cannot be protected is not dirty; aborts-writable: is taken for one that can be stored to;
 * fails-clean: one that cannot be written is not dirty.
 */

static const struct explored worlds = {
	.memory = &plain.turns,
	.memory_bytes = sizeof(plain),
	.reset = plain_reset,
	.check = plain_check,
};

static void explore_absent(void)
{
	plain_start = ABSENT;
	WORLD(&worlds, "a store, an eviction, a write", { .act = store, .count = 2 },
	      { .act = evict, .count = 1 }, { .act = write_back, .count = 2 });
	WORLD(&worlds, "a store, a flush, an eviction", { .act = store, .count = 1 },
	      { .act = flush, .count = 1 }, { .act = evict, .count = 1 });
	WORLD(&worlds, "another store, and a flush, as a page comes",
	      { .act = store, .count = 1 },
	      { .act = store_if_it_works, .count = 1, .place = 1 },
	      { .act = flush, .count = 1 });
	WORLD(&worlds, "stores to two parts", { .act = store, .count = 2 },
	      { .act = store_unknown, .count = 1, .place = 1 });
	WORLD(&worlds, "a store that cannot be let in",
	      { .act = store, .count = 1, .fails = MEMORY_FAILS }, { .act = flush, .count = 1 },
	      { .act = load, .count = 1 });
	WORLD(&worlds, "a change under a fix, and a flush",
	      { .act = change_fixed, .count = 1 }, { .act = flush, .count = 1 });
	WORLD(&worlds, "a change under a fix, and a store",
	      { .act = change_fixed, .count = 1 }, { .act = store, .count = 1 });
}

static void explore_protected(void)
{
	plain_start = PROTECTED;
	WORLD(&worlds, "a store, an eviction of a part, a load",
	      { .act = store_unknown, .count = 1, .place = 1 },
	      { .act = load, .count = 1, .place = 1 },
	      { .act = evict_in_part, .count = 1 });
	WORLD(&worlds, "a store, an eviction that the host refuses",
	      { .act = store, .count = 2 }, { .act = evict, .count = 2, .fails = MEMORY_FAILS },
	      { .act = write_back, .count = 1 });
}

static void explore_writable(void)
{
	plain_start = WRITABLE;
	WORLD(&worlds, "stores to two parts, a write", { .act = store, .count = 1 },
	      { .act = store, .count = 1, .place = 1 }, { .act = write_back, .count = 1 });
	WORLD(&worlds, "a change under a fix, a store, a write",
	      { .act = change_fixed, .count = 1 }, { .act = store, .count = 1 },
	      { .act = write_back, .count = 1 });
	WORLD(&worlds, "a change under a fix that cannot be let in",
	      { .act = change_fixed, .count = 1, .fails = MEMORY_FAILS },
	      { .act = write_back, .count = 2 });
	WORLD(&worlds, "stores, a write, a flush", { .act = store, .count = 2 },
	      { .act = write_back, .count = 1 }, { .act = flush, .count = 1 });
	WORLD(&worlds, "a store, two who flush", { .act = store, .count = 1 },
	      { .act = flush, .count = 1 }, { .act = flush, .count = 1 });
	WORLD(&worlds, "a store, a write that fails, an eviction",
	      { .act = store, .count = 2 }, { .act = evict, .count = 1 },
	      { .act = write_back, .count = 1, .fails = DISK_FAILS });
	WORLD(&worlds, "stores to a page that cannot be protected",
	      { .act = store, .count = 1 }, { .act = store, .count = 1, .place = 1 },
	      { .act = write_back, .count = 2, .fails = MEMORY_FAILS });
	WORLD(&worlds, "a page that cannot be protected, and another write",
	      { .act = store, .count = 2 }, { .act = write_back, .count = 1, .fails = MEMORY_FAILS },
	      { .act = write_back, .count = 1 });
	WORLD(&worlds, "a change under a fix, a flush, an eviction",
	      { .act = change_fixed, .count = 1 }, { .act = flush, .count = 1 },
	      { .act = evict, .count = 1 });
}

int main(int argc, char **argv)
{
	static const char *const names[] = {
		"", "no-wake", "unprotected", "not-dirty", "dirty-late", "no-turn",
		"comes-clean", "writing", "aborts-clean", "aborts-writable", "fails-clean",
		NULL,
	};

	read_fault(argc, argv, names);
	explore_absent();
	explore_protected();
	explore_writable();
	return end_of_worlds(names);
}
