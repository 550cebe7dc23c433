/* SPDX-License-Identifier: MIT */
/*
 * vmspace/budget.h: a cache that makes way.
 *
 * A cache and the work share 64 MiB, each in a space of its own. The cache
 * takes what the work leaves; when the work needs it, the cache gives it up,
 * asked by the budget before a request is refused.
 */
#include <stdio.h>
#include <sys/mman.h>

#include <vmspace/budget.h>
#include <vmspace/mapping.h>

#define MIB ((size_t)1 << 20)
#define SLABS 12

struct cache {
	vms_space *space;
	void *slabs[SLABS];  /* 4 MiB each */
	int count;
};

static void *take(vms_space *space, size_t length)
{
	void *memory = vms_mmap(space, NULL, length, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

static bool drop_slab(vms_budget *budget, size_t bytes, unsigned attempt,
		      void *context)
{
	struct cache *cache = context;

	(void)budget;
	(void)attempt;
	/* What the cache cannot give, it does not begin to give. */
	if (4 * MIB * (size_t)cache->count < bytes)
		return false;
	printf("  %zu MiB wanted: the cache drops a slab\n", bytes / MIB);
	return vms_munmap(cache->space, cache->slabs[--cache->count],
			  4 * MIB) == 0;
}

static vms_space *open_space(vms_budget *budget)
{
	const struct vms_space_options options = {
		.struct_size = sizeof(options),
		.budget = budget,
	};

	return vms_space_open((size_t)1 << 32, &options);
}

int main(void)
{
	const struct vms_budget_options options = {
		.struct_size = sizeof(options),
		.limit = 64 * MIB,
		.policy = VMS_COMMIT_STRICT,
	};
	struct vms_budget_stats stats = { .struct_size = sizeof(stats) };
	vms_budget *budget = vms_budget_open(&options);
	vms_space *work = budget ? open_space(budget) : NULL;
	struct cache cache = { .space = work ? open_space(budget) : NULL };

	if (!cache.space ||
	    vms_budget_set_callback(budget, drop_slab, &cache) < 0)
		goto failed;
	for (; cache.count < SLABS; cache.count++) {
		cache.slabs[cache.count] = take(cache.space, 4 * MIB);
		if (!cache.slabs[cache.count])
			goto failed;
	}
	printf("the cache has %d MiB\n", 4 * cache.count);
	if (!take(work, 24 * MIB))
		goto failed;
	printf("the work has 24 MiB, the cache %d\n", 4 * cache.count);
	if (take(work, 41 * MIB))
		return 1;
	printf("41 MiB more: %s\n", vms_refusal_text(vms_last_refusal()));
	if (vms_budget_get_stats(budget, &stats) < 0)
		goto failed;
	printf("%zu of %zu MiB charged, %zu at most\n", stats.committed / MIB,
	       stats.limit / MIB, stats.committed_peak / MIB);
	if (vms_space_close(cache.space) < 0 || vms_space_close(work) < 0)
		goto failed;
	return vms_budget_close(budget) < 0;

failed:
	perror("example-budget");
	return 1;
}
