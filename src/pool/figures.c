/* SPDX-License-Identifier: MIT */
#include <vmspace/stat.h>

#include "base/versioned.h"
#include "pool/aside/lend.h"
#include "pool/plain/shield.h"
#include "pool/pool.h"
#include "pool/slots.h"
#include "space/inside.h"

/* Figures of a pool. */

static void sum_stripes(struct vms_pool *pool, struct vms_pool_stats *stats)
{
	for (unsigned i = 0; i < VMSI_STRIPES; i++) {
		struct vmsi_stripe *stripe = &pool->stripes[i];

		stats->hits += atomic_load(&stripe->hits);
		stats->misses += atomic_load(&stripe->misses);
		stats->waits += atomic_load(&stripe->waits);
		stats->reads += atomic_load(&stripe->reads);
		stats->miss_nanoseconds += atomic_load(&stripe->nanoseconds);
		for (unsigned j = 0; j < VMS_POOL_TIMES; j++)
			stats->miss_times[j] += atomic_load(&stripe->times[j]);
	}
}

/* Without the lock, for which misses would wait as long. Slots that were made stay. */
static uint64_t count_dirty(struct vms_pool *pool, uint32_t made)
{
	uint64_t count = 0;

	for (uint32_t i = 0; i < made; i++) {
		const uint64_t page = atomic_load(&pool->slots[i].page);

		if (page != VMSI_NO_PAGE)
			count += (vmsi_word_load(vmsi_pool_word(pool, page)) &
				  (VMSI_WORD_DIRTY | VMSI_WORD_WRITING)) != 0;
	}
	return count;
}

static void read_queues(struct vms_pool *pool, struct vms_pool_stats *stats)
{
	uint32_t made;

	vmsi_latch_acquire(&pool->lock);
	stats->ram = pool->ram;
	stats->used = pool->fixed_bytes + pool->prepaid_bytes + pool->touched_bytes +
		vmsi_room_owned(pool) * pool->page_size + /* lent ones are in fixed_bytes */
		pool->made * sizeof(struct vmsi_page_slot);
	stats->swap_ram = vmsi_room_swap(pool, pool->ram);
	stats->slots = pool->limit;
	stats->resident = vmsi_room_used(pool) + vmsi_lend_pages(pool);
	stats->evictions = pool->evictions;
	stats->ghost_hits = pool->ghost_hits;
	made = pool->made;
	vmsi_latch_release(&pool->lock);
	stats->dirty = count_dirty(pool, made);
}

/* The io of a snapshot is its parent's: the threads that miss pages read. */
static void read_engine(const struct vms_pool *pool, struct vms_pool_stats *stats)
{
	stats->engine = VMS_POOL_THREADS;
	if (vmsi_pool_is_snapshot(pool))
		return;
	if (vmsi_io_engine(pool->store.io) == VMSI_IO_RING)
		stats->engine = VMS_POOL_URING;
	stats->engine_error = -vmsi_io_problem(pool->store.io);
}

/* The store has locks of its own. */
static void read_aside(struct vms_pool *pool, struct vms_pool_stats *stats)
{
	struct vmsi_swap_figures figures;

	if (!pool->store.aside.swap)
		return;
	vmsi_swap_get_figures(pool->store.aside.swap, &figures);
	stats->swap_codec = vmsi_aside_codec(&pool->store.aside);
	stats->swap_used = vmsi_swap_bytes(pool->store.aside.swap);
	stats->used += stats->swap_used;
	stats->swap_file = figures.in_file * figures.cluster_bytes;
	stats->aside = figures.pages;
	stats->aside_zero = figures.zero_pages;
	stats->aside_bytes = figures.object_bytes;
	stats->pages_aside = atomic_load(&pool->pages_aside);
	stats->pages_aside_raw = figures.raw_pages;
}

static void read_figures(struct vms_pool *pool, struct vms_pool_stats *stats)
{
	stats->page_size = pool->page_size;
	stats->pages = vmsi_pool_count(pool);
	stats->read_errors = atomic_load(&pool->store.read_errors);
	stats->writes = atomic_load(&pool->store.writes);
	stats->pages_written = atomic_load(&pool->pages_written);
	stats->write_errors = atomic_load(&pool->write_errors);
	stats->written_for_room = atomic_load(&pool->for_room);
	stats->syncs = atomic_load(&pool->syncs);
	stats->held_back = atomic_load(&pool->held_back);
	stats->durable = atomic_load(&pool->durable);
	stats->area_batches = atomic_load(&pool->area_batches);
	stats->area_mended = pool->area.mended;
	stats->snapshots = atomic_load(&pool->snapshots.count);
	stats->pages_saved = atomic_load(&pool->snapshots.pages_saved);
	read_engine(pool, stats);
	if (vmsi_pool_has(pool, VMS_POOL_TRANSPARENT)) {
		stats->faults = atomic_load(&pool->faults);
		stats->read_ahead = atomic_load(&pool->read_ahead);
		stats->fault_engine = (enum vms_pool_faults)pool->pager.engine;
		stats->fault_engine_error = -pool->pager.problem;
		stats->serves_system_calls = pool->pager.is_for_kernel;
	}
	sum_stripes(pool, stats);
	read_queues(pool, stats);
	read_aside(pool, stats);
	vmsi_lock_acquire(&pool->size_lock);
	stats->free = pool->free_pages;
	vmsi_lock_release(&pool->size_lock);
}

int vms_pool_get_stats(vms_pool *pool, struct vms_pool_stats *stats)
{
	struct vmsi_shield shield;
	struct vms_pool_stats known = { .struct_size = sizeof(known) };
	int error = pool && stats ?
		vmsi_check_struct_size(stats->struct_size,
				       VMSI_FIRST_POOL_STATS) : -EINVAL;

	if (!error)
		error = vmsi_pool_enter(pool);
	if (error)
		return vmsi_status(error);
	vmsi_shield_raise(pool, &shield);
	read_figures(pool, &known);
	vmsi_shield_lower(&shield);
	vmsi_give_figures(stats, &known, sizeof(known));
	return 0;
}

static size_t ram_of(struct vms_pool *pool)
{
	struct vmsi_shield shield;
	size_t ram;

	vmsi_shield_raise(pool, &shield);
	vmsi_latch_acquire(&pool->lock);
	ram = pool->ram;
	vmsi_latch_release(&pool->lock);
	vmsi_shield_lower(&shield);
	return ram;
}

int vms_stat_pool(vms_pool *pool, unsigned flags, struct vms_stat *stat)
{
	struct vms_stat known;
	int error = vmsi_stat_check(pool, flags, stat);

	if (!error)
		error = vmsi_pool_enter(pool);
	if (!error)
		error = vmsi_stat_of_space(pool->space, flags, &known);
	if (!error)
		known.limit = ram_of(pool);
	return vmsi_stat_give(error, &known, stat);
}
