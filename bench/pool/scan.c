/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vmspace/pool.h>
#include <vmspace/pool_stats.h>

#include "bench.h"
#include "rss.h"

/*
 * A hot set that fits, and a scan of the whole file beside it: how much of the hot set's
 * hit rate the scan takes away. The same accesses go through models of LRU and of CLOCK
 * with as many slots; hits are counted, so that the machine's speed is no matter.
 *
 *	bench-pool-scan [--slots N] [--file TIMES] [--hot PER CENT] [--scan N] [--hint 1]
 *
 * file: pages of the file, in times of the slots. hot: pages of the hot set, in per cent
 * of the slots; they are used in a random order. scan: pages of the scan after each access
 * to the hot set. hint: the pool is told of pages of the scan by VMS_POOL_ONCE.
 */

#define PAGE 4096u
#define NONE UINT32_MAX

/* --- the models -------------------------------------------------------------------------- */

struct model {
	bool is_clock;
	uint32_t slots, used, hand, first, last;
	uint32_t *slot_of;             /* of a page */
	uint32_t *page_of, *next, *previous;
	bool *is_used;
};

static void *numbers(size_t count)
{
	uint32_t *made = malloc(count * sizeof(*made));

	if (!made)
		exit(1);
	memset(made, 0xff, count * sizeof(*made));
	return made;
}

static struct model make_model(bool is_clock, uint32_t slots, uint32_t pages)
{
	struct model model = {
		.is_clock = is_clock, .slots = slots, .first = NONE, .last = NONE,
		.slot_of = numbers(pages), .page_of = numbers(slots),
		.next = numbers(slots), .previous = numbers(slots),
		.is_used = calloc(slots, sizeof(bool)),
	};

	return model;
}

static void unlink_slot(struct model *model, uint32_t slot)
{
	const uint32_t next = model->next[slot], previous = model->previous[slot];

	*(previous == NONE ? &model->first : &model->next[previous]) = next;
	*(next == NONE ? &model->last : &model->previous[next]) = previous;
}

static void link_last(struct model *model, uint32_t slot)
{
	model->next[slot] = NONE;
	model->previous[slot] = model->last;
	*(model->last == NONE ? &model->first : &model->next[model->last]) = slot;
	model->last = slot;
}

static uint32_t victim_of(struct model *model)
{
	if (model->used < model->slots)
		return model->used++;
	if (!model->is_clock) {
		const uint32_t slot = model->first;

		unlink_slot(model, slot);
		return slot;
	}
	for (;;) {
		const uint32_t slot = model->hand;

		model->hand = (slot + 1) % model->slots;
		if (!model->is_used[slot])
			return slot;
		model->is_used[slot] = false;
	}
}

/* Returns whether it was there. */
static bool use(struct model *model, uint32_t page)
{
	uint32_t slot = model->slot_of[page];
	const bool is_there = slot != NONE;

	if (is_there) {
		if (!model->is_clock)
			unlink_slot(model, slot);
	} else {
		slot = victim_of(model);
		if (model->page_of[slot] != NONE)
			model->slot_of[model->page_of[slot]] = NONE;
		model->page_of[slot] = page;
		model->slot_of[page] = slot;
	}
	model->is_used[slot] = is_there;
	if (!model->is_clock)
		link_last(model, slot);
	return is_there;
}

/* --- the pool ------------------------------------------------------------------------------ */

static bool fix(vms_pool *pool, uint32_t page, bool is_once)
{
	const bool is_there = vms_pool_try_fix(pool, page, VMS_POOL_READ) != NULL;

	if (!is_there && !vms_pool_fix(pool, page, VMS_POOL_READ)) {
		perror("vms_pool_fix");
		exit(1);
	}
	if (is_once)
		(void)vms_pool_hint(pool, page, VMS_POOL_ONCE);
	(void)vms_pool_unfix(pool, page);
	return is_there;
}

static size_t ram_of(uint32_t slots)
{
	return (size_t)slots * (PAGE + 128) + (4u << 20);
}

static vms_pool *open_pool(uint32_t slots, uint32_t pages)
{
	const struct vms_pool_options options = {
		.struct_size = sizeof(options),
		.ram = ram_of(slots),
	};
	const char *directory = getenv("VMS_BENCH_DIRECTORY");
	char path[4096];
	vms_pool *pool;
	int fd;

	snprintf(path, sizeof(path), "%s/bench-pool-scan.XXXXXX",
		 directory ? directory : ".");
	fd = mkstemp(path);
	if (fd < 0 || unlink(path) != 0 || ftruncate(fd, (off_t)pages * PAGE) != 0) {
		perror(path);
		exit(1);
	}
	pool = vms_pool_open(fd, &options);
	if (!pool) {
		perror("vms_pool_open");
		exit(1);
	}
	(void)close(fd);
	return pool;
}

/* --- the run --------------------------------------------------------------------------------- */

#define CONTENDERS 3

struct run {
	vms_pool *pool;
	struct model models[2];
	uint32_t pages, hot, at;
	uint64_t random;
	bool hints;
};

static void use_all(struct run *run, uint32_t page, bool is_scan, uint64_t *hits)
{
	hits[0] += fix(run->pool, page, is_scan && run->hints);
	for (size_t i = 0; i < 2; i++)
		hits[1 + i] += use(&run->models[i], page);
}

static uint32_t choose_hot(struct run *run)
{
	run->random = run->random * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (uint32_t)((run->random >> 33) % run->hot);
}

/* The hit rates of the hot set, in per cent. */
static void measure(struct run *run, size_t rounds, size_t scan, double *rates)
{
	uint64_t hits[CONTENDERS] = { 0 }, others[CONTENDERS];

	for (size_t i = 0; i < rounds; i++) {
		use_all(run, choose_hot(run), false, hits);
		for (size_t j = 0; j < scan; j++) {
			use_all(run, run->hot + run->at, true, others);
			run->at = (run->at + 1) % (run->pages - run->hot);
		}
	}
	for (size_t i = 0; i < CONTENDERS; i++)
		rates[i] = 100.0 * (double)hits[i] / (double)rounds;
}

static uint32_t slots_of(vms_pool *pool)
{
	struct vms_pool_stats stats = { .struct_size = sizeof(stats) };

	if (vms_pool_get_stats(pool, &stats) != 0)
		exit(1);
	return (uint32_t)stats.slots;
}

int main(int argc, char **argv)
{
	static const char *const names[CONTENDERS] = { "vms_pool", "LRU", "CLOCK" };
	const uint32_t asked = (uint32_t)bench_option(argc, argv, "slots", 16384);
	const uint32_t times = (uint32_t)bench_option(argc, argv, "file", 8);
	const size_t scan = bench_option(argc, argv, "scan", 4);
	struct run run = { .pages = asked * times, .random = 1 };
	double before[CONTENDERS], during[CONTENDERS];
	uint32_t slots;
	struct rss rss;

	bench_print_header(argc, argv);
	run.hints = bench_option(argc, argv, "hint", 0);
	run.pool = open_pool(asked, run.pages);
	slots = slots_of(run.pool);
	run.hot = slots * (uint32_t)bench_option(argc, argv, "hot", 60) / 100;
	for (size_t i = 0; i < 2; i++)
		run.models[i] = make_model(i == 1, slots, run.pages);
	/* The models' memory is there by now, and is not the pool's. */
	if (vms_pool_close(run.pool) != 0)
		return 1;
	rss_begin(&rss);
	run.pool = open_pool(asked, run.pages);
	measure(&run, (size_t)run.hot * 20, 0, before);
	measure(&run, (size_t)run.hot * 20, 0, before);
	/* Once through the whole file at least. */
	measure(&run, (size_t)run.pages * 2 / scan, scan, during);
	printf("# %u slots, a hot set of %u pages, a file of %u, %zu pages of a scan after "
	       "each access\n", slots, run.hot, run.pages, scan);
	for (size_t i = 0; i < CONTENDERS; i++)
		printf("%-10s hit rate of the hot set %6.2f %%, with the scan %6.2f %%: "
		       "%.2f points less\n", names[i], before[i], during[i],
		       before[i] - during[i]);
	return vms_pool_close(run.pool) != 0 ||
		rss_print("vms_pool", rss_end(&rss), ram_of(asked)) != 0;
}
