/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "pool_world.h"

/*
 * The protocol of a page's word (src/pool/word.c, compiled with the steps of pool_steps.h)
 * in all interleavings of up to four threads on one page and two slots: writers, readers
 * with a fix and without, one that evicts and lets another page have the slot, one that
 * writes the page back, by a write that fails or not. A page has two words that are the
 * same when nobody changes it. Sleeps never end by themselves here.
 *
 * - What a reader has read and validated is one state of the page, and not older than
 *   the last change that was over when it began.
 * - A copy that is written is one state of the page.
 * - A page leaves only when its last change is in the file.
 * - Nobody sleeps for ever.
 * - What nobody has fixed is not given back.
 *
 * --must-find FAULT [WORLD]: with this fault the worlds, or that one, must fail.
 * torn: compiled in; no-wake: who
 * sleeps is not woken; writing: a page leaves while it is being written; version: readers do
 * not look at the version; early: a page is there before it is read; blind: its use is
 * noted whatever has become of its word; held: a page is freed that somebody reads.
 */

/* --- worlds ------------------------------------------------------------------------------------- */

static unsigned cases, failures;
/* The world in which a fault is looked for; NULL: all. */
static const char *only;

static void explore(const char *name)
{
	struct schedule plan = {
		.count = thread_count,
		.memory = &world,
		.memory_bytes = sizeof(world),
		.reset = reset,
		.check = check,
	};
	struct schedule_figures figures;
	bool is_good;

	/* One world that shows the fault is enough. */
	if (failures || (only && strcmp(only, name) != 0))
		return;
	for (unsigned i = 0; i < thread_count; i++) {
		threads[i].number = i;
		plan.threads[i] = (struct schedule_thread){
			.body = run, .argument = &threads[i],
		};
	}
	is_good = schedule_explore(&plan, &figures);
	printf("# %s: %llu states, %llu runs to an end, at most %u steps\n", name,
	       (unsigned long long)figures.states, (unsigned long long)figures.runs,
	       figures.depth);
	if (fault == NONE) {
		printf("%sok %u - %s\n", is_good ? "" : "not ", ++cases, name);
		failures += !is_good;
	} else {
		failures += !is_good;
	}
}

#define WORLD(name, ...)                                                        \
	do {                                                                    \
		const struct thread made[] = { __VA_ARGS__ };                   \
									        \
		thread_count = sizeof(made) / sizeof(made[0]);                  \
		memcpy(threads, made, sizeof(made));                            \
		explore(name);                                                  \
	} while (0)

static void explore_all(void)
{
	WORLD("a page that is read ahead, or cannot be", { .act = read_ahead, .count = 2 },
	      { .act = read_ahead, .count = 1, .fails = true },
	      { .act = read_page, .count = 1 }, { .act = evict, .count = 2 });
	WORLD("an eviction that the host refuses, and one that lets the page stay",
	      { .act = evict_addressed, .count = 1, .fails = true },
	      { .act = cool, .count = 2 }, { .act = write_page, .count = 1 },
	      { .act = read_page, .count = 1 });
	WORLD("a page that is freed and allocated", { .act = free_and_allocate, .count = 1 },
	      { .act = write_back, .count = 1 }, { .act = write_page, .count = 1 });
	/* No evictions beside these: a slot that is left twice would be used again too soon. */
	WORLD("a page that is freed beside a reader", { .act = read_page, .count = 2 },
	      { .act = free_and_allocate, .count = 1 });
	WORLD("a page that is freed beside one that reads ahead",
	      { .act = free_and_allocate, .count = 1 }, { .act = read_ahead, .count = 2 });
	WORLD("two writers and a reader", { .act = write_page, .count = 2 },
	      { .act = write_page, .count = 1 }, { .act = read_page, .count = 1 });
	WORLD("a writer, an eviction, reads without a fix",
	      { .act = write_page, .count = 2 }, { .act = evict, .count = 2 },
	      { .act = write_back, .count = 1 }, { .act = read_without_fix, .count = 2 });
	WORLD("a writer, an eviction, a write",
	      { .act = write_page, .count = 2 }, { .act = evict, .count = 2 },
	      { .act = write_back, .count = 2 });
	WORLD("a writer, an eviction, a write that fails",
	      { .act = write_page, .count = 2 }, { .act = evict, .count = 2 },
	      { .act = write_back, .count = 2, .fails = true });
	WORLD("an eviction by way of busy",
	      { .act = write_page, .count = 2 }, { .act = evict_addressed, .count = 2 },
	      { .act = write_back, .count = 1 }, { .act = read_without_fix, .count = 1 });
	WORLD("readers bring a page in", { .act = read_page, .count = 1 },
	      { .act = read_page, .count = 1 }, { .act = evict_addressed, .count = 2 });
	WORLD("an upgrade, a writer and an eviction", { .act = upgrade, .count = 2 },
	      { .act = write_page, .count = 1 }, { .act = evict, .count = 1 },
	      { .act = write_back, .count = 1 });
	WORLD("readers, and one that gives back what it has not",
	      { .act = read_among_strangers, .count = 2 },
	      { .act = read_among_strangers, .count = 1 },
	      { .act = give_back_unfixed, .count = 1 });
	WORLD("a writer that stays as a reader", { .act = write_and_read, .count = 1 },
	      { .act = write_page, .count = 1 }, { .act = read_page, .count = 1 });
}

int main(int argc, char **argv)
{
	static const char *const names[] = {
		"", "torn", "no-wake", "writing", "version", "early", "blind", "held",
	};

	if (argc > 2 && strcmp(argv[1], "--must-find") == 0) {
		only = argv[3];
		for (size_t i = 1; i < sizeof(names) / sizeof(names[0]); i++)
			if (strcmp(argv[2], names[i]) == 0)
				fault = (enum fault)i;
	}
	explore_all();
	if (fault != NONE) {
		printf("%sok 1 - the fault is found: %s\n", failures ? "" : "not ",
		       names[fault]);
		cases = 1;
		failures = failures == 0;
	}
	printf("1..%u\n", cases);
	return failures != 0;
}
