/* SPDX-License-Identifier: MIT */
#include "pool/flight.h"

#include "host/host.h"
#include "pool/evict/evict.h"
#include "pool/lane.h"
#include "pool/miss.h"
#include "pool/plain/bring.h"
#include "pool/slots.h"

/* --- records ------------------------------------------------------------------------------------ */

void vmsi_flight_init(struct vms_pool *pool)
{
	for (unsigned i = pool->depth; i-- > 0;) {
		pool->flights[i].next = pool->free_flight;
		pool->free_flight = &pool->flights[i];
	}
}

static struct vmsi_flight *take(struct vms_pool *pool)
{
	struct vmsi_flight *flight;

	vmsi_latch_acquire(&pool->lock);
	flight = pool->free_flight;
	if (flight)
		pool->free_flight = flight->next;
	vmsi_latch_release(&pool->lock);
	return flight;
}

static void give(struct vms_pool *pool, struct vmsi_flight *flight)
{
	vmsi_latch_acquire(&pool->lock);
	flight->next = pool->free_flight;
	pool->free_flight = flight;
	vmsi_latch_release(&pool->lock);
}

/* --- the end of a read ---------------------------------------------------------------------------- */

static char *place_of(const struct vmsi_flight *flight)
{
	return flight->landed.count ? vmsi_landing_at(flight->pool, flight->landed) :
				      vmsi_pool_at(flight->pool, flight->page, flight->slot);
}

static void give_landing(const struct vmsi_flight *flight)
{
	if (flight->landed.count)
		vmsi_landing_give(flight->pool, flight->landed);
}

/* A page that could not be read is absent again: who fixes it is told why. */
static void end_page(const struct vmsi_flight *flight, int error)
{
	struct vms_pool *pool = flight->pool;
	const uint64_t page = flight->page;

	if (!error && flight->landed.count)
		error = vmsi_bring_landed(pool, page, flight->landed, VMSI_STORES_FAULT);
	give_landing(flight);
	if (error) {
		vmsi_miss_abort(pool, page, flight->slot);
		return;
	}
	(void)vmsi_word_publish(vmsi_pool_word(pool, page), flight->slot, VMSI_LOOK);
	vmsi_miss_count(pool, flight->began);
}

static void end_flight(struct vmsi_io_request *request)
{
	struct vmsi_flight *flight = request->context;
	struct vms_pool *pool = flight->pool;

	vmsi_pool_tally(&vmsi_pool_stripe(pool)->reads, 1);
	end_page(flight, vmsi_store_end_read(&pool->store, request));
	if (request->is_detached)
		give(pool, flight);
}

/* --- the begin --------------------------------------------------------------------------------------- */

/* What is fixed or dirty is not waited for. */
static bool take_slot(struct vms_pool *pool, struct vmsi_flight *flight, uint64_t seen)
{
	int error;

	do {
		error = vmsi_miss_try(pool, flight->page, seen, &flight->slot);
	} while (error == -ENOBUFS && vmsi_evict(pool, NULL) > 0);
	return error == 0;
}

/* Room to read to, where a page cannot be read to its slot. It is not waited for. */
static bool take_landing(struct vms_pool *pool, struct vmsi_flight *flight)
{
	flight->landed.count = 0;
	if (!vmsi_pool_has(pool, VMS_POOL_TRANSPARENT))
		return true;
	flight->landed = vmsi_landing_try(pool);
	return flight->landed.count != 0;
}

/* Who ends a read. */
enum flight_end { ALONE, AWAITED };

enum begun { LEFT_OUT, IS_OVER, IN_FLIGHT };

static enum begun begin(struct vms_pool *pool, struct vmsi_flight *flight, uint64_t page,
			enum flight_end end)
{
	const uint64_t seen = vmsi_word_load(vmsi_pool_word(pool, page));
	int error;

	flight->pool = pool;
	flight->page = page;
	if (seen & (VMSI_WORD_RESIDENT | VMSI_WORD_LOCK) || !take_landing(pool, flight))
		return LEFT_OUT;
	if (!take_slot(pool, flight, seen)) {
		give_landing(flight);
		return LEFT_OUT;
	}
	flight->began = vmsi_miss_clock(pool);
	if (!vmsi_store_begin_read(&pool->store, (unsigned)(flight - pool->flights),
				   place_of(flight),
				   pool->page_size, page << pool->view.page_shift,
				   &flight->request, &error)) {
		end_page(flight, error);
		return IS_OVER;
	}
	flight->request.is_detached = end == ALONE;
	flight->request.done = end_flight;
	flight->request.context = flight;
	return IN_FLIGHT;
}

/*
 * *place is where to go on afterwards. Of those to be awaited only the ones that are not
 * over yet are counted, and are in reads.
 */
static size_t begin_some(struct vms_pool *pool, struct vmsi_io *io, const uint64_t *pages,
			 size_t count, size_t *place, enum flight_end end,
			 struct vmsi_flight **reads)
{
	struct vmsi_io_request *requests[VMS_POOL_MANY];
	struct vmsi_flight *flight = NULL;
	size_t begun = 0, over = 0;

	for (; *place < count; ++*place) {
		enum begun outcome;

		if (pages[*place] >= vmsi_pool_count(pool))
			continue;
		if (!flight)
			flight = take(pool);
		if (!flight)
			break;
		outcome = begin(pool, flight, pages[*place], end);
		over += outcome == IS_OVER;
		if (outcome != IN_FLIGHT)
			continue;
		requests[begun] = &flight->request;
		if (reads)
			reads[begun] = flight;
		begun++;
		flight = NULL;
	}
	if (flight)
		give(pool, flight);
	vmsi_io_submit(io, requests, begun);
	return end == ALONE ? begun + over : begun;
}

/* Of a snapshot it is the parent's, and only who waits can tell what was read. */
static bool has_io(const struct vms_pool *pool)
{
	return !vmsi_pool_is_snapshot(pool);
}

size_t vmsi_flight_begin(struct vms_pool *pool, const uint64_t *pages, size_t count)
{
	size_t place = 0;

	if (!has_io(pool))
		return 0;
	return begin_some(pool, pool->store.io, pages, count, &place, ALONE, NULL);
}

static void wait(struct vms_pool *pool, struct vmsi_io *io, struct vmsi_flight **reads,
		 size_t count)
{
	for (size_t i = 0; i < count; i++)
		(void)vmsi_io_wait(io, &reads[i]->request);
	for (size_t i = 0; i < count; i++)
		give(pool, reads[i]);
}

void vmsi_flight_read(struct vms_pool *pool, const uint64_t *pages, size_t count)
{
	struct vmsi_flight *reads[VMS_POOL_MANY];
	struct vmsi_lane lane;
	size_t place = 0, begun;

	if (!has_io(pool))
		return;
	lane = vmsi_lane_take(pool);
	do {
		begun = begin_some(pool, lane.io, pages, count, &place, AWAITED, reads);
		wait(pool, lane.io, reads, begun);
	} while (begun && place < count);
	vmsi_lane_give(pool, lane);
}
