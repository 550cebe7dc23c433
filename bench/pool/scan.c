/* SPDX-License-Identifier: MIT */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <vmspace/pool.h>

#include "bench.h"
#include "models.h"
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
	hits[0] += model_use_pool(run->pool, page,
				  is_scan && run->hints ? VMS_POOL_ONCE :
							  MODEL_NO_HINT);
	for (size_t i = 0; i < 2; i++)
		hits[1 + i] += model_use(&run->models[i], page);
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

int main(int argc, char **argv)
{
	static const char *const names[CONTENDERS] = { "vms_pool", "LRU", "CLOCK" };
	const uint32_t asked = (uint32_t)bench_option(argc, argv, "slots", 16384);
	const uint32_t times = (uint32_t)bench_option(argc, argv, "file", 8);
	const size_t scan = bench_option(argc, argv, "scan", 4);
	struct run run = { .pages = asked * times, .random = 1 };
	double before[CONTENDERS], during[CONTENDERS];
	const uint32_t hot = (uint32_t)bench_option(argc, argv, "hot", 60);
	uint32_t slots;
	size_t ram;
	struct rss rss;

	run.hints = bench_option(argc, argv, "hint", 0);
	bench_print_header(argc, argv);
	run.pool = model_open_pool(asked, run.pages);
	slots = model_slots_of(run.pool);
	run.hot = slots * hot / 100;
	for (size_t i = 0; i < 2; i++)
		run.models[i] = model_make((enum model_kind)i, slots, run.pages);
	/* The models' memory is there by now, and is not the pool's. */
	if (vms_pool_close(run.pool) != 0)
		return 1;
	rss_begin(&rss);
	run.pool = model_open_pool(asked, run.pages);
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
	ram = model_ram_of(run.pool);
	return vms_pool_close(run.pool) != 0 ||
		rss_print("vms_pool", rss_end(&rss), ram) != 0;
}
