/* SPDX-License-Identifier: MIT */
#include "pool/plain/landing.h"

#include <limits.h>

#include "host/host.h"
#include "pool/pool.h"

/* A sleep at most; nobody depends on it. */
#define SLEEP_NANOSECONDS UINT64_C(100000000)

static bool is_used(const struct vmsi_landing *landing, size_t place)
{
	return landing->used[place / 64] >> place % 64 & 1;
}

static void toggle(struct vmsi_landing *landing, struct vmsi_landed landed)
{
	for (size_t i = landed.place; i < landed.place + landed.count; i++)
		landing->used[i / 64] ^= UINT64_C(1) << i % 64;
}

/* The first run that is long enough, else the longest. */
static struct vmsi_landed find(const struct vmsi_landing *landing, size_t wanted)
{
	struct vmsi_landed best = { 0, 0 };
	struct vmsi_landed run = { 0, 0 };

	for (size_t i = 0; i < landing->pages && best.count < wanted; i++) {
		if (is_used(landing, i)) {
			run = (struct vmsi_landed){ i + 1, 0 };
			continue;
		}
		run.count++;
		if (run.count > best.count)
			best = run;
	}
	return best;
}

static struct vmsi_landed take_now(struct vms_pool *pool, size_t wanted)
{
	struct vmsi_landed landed;

	vmsi_latch_acquire(&pool->lock);
	landed = find(&pool->landing, wanted);
	toggle(&pool->landing, landed);
	vmsi_latch_release(&pool->lock);
	return landed;
}

struct vmsi_landed vmsi_landing_try(struct vms_pool *pool)
{
	return take_now(pool, 1);
}

struct vmsi_landed vmsi_landing_take(struct vms_pool *pool, size_t wanted)
{
	struct vmsi_landing *landing = &pool->landing;
	struct vmsi_landed landed = take_now(pool, wanted);

	if (landed.count)
		return landed;
	(void)atomic_fetch_add(&landing->waiters, 1);
	for (;;) {
		const uint32_t returns = atomic_load(&landing->returns);

		landed = take_now(pool, wanted);
		if (landed.count)
			break;
		(void)vmsi_host.futex_wait((const void *)&landing->returns, returns,
					   SLEEP_NANOSECONDS);
	}
	(void)atomic_fetch_sub(&landing->waiters, 1);
	return landed;
}

void vmsi_landing_give(struct vms_pool *pool, struct vmsi_landed landed)
{
	struct vmsi_landing *landing = &pool->landing;

	vmsi_latch_acquire(&pool->lock);
	toggle(landing, landed);
	vmsi_latch_release(&pool->lock);
	(void)atomic_fetch_add(&landing->returns, 1);
	if (atomic_load(&landing->waiters))
		(void)vmsi_host.futex_wake((const void *)&landing->returns, INT_MAX);
}

char *vmsi_landing_at(const struct vms_pool *pool, struct vmsi_landed landed)
{
	return pool->landing.bytes + (landed.place << pool->view.page_shift);
}
