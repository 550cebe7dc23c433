/* SPDX-License-Identifier: MIT */
#include "pool/reading.h"

#include "host/host.h"
#include "pool/evict.h"
#include "pool/miss.h"
#include "pool/slots.h"

/* --- records ------------------------------------------------------------------------------------ */

void vmsi_reading_init(struct vms_pool *pool)
{
	for (unsigned i = pool->depth; i-- > 0;) {
		pool->readings[i].next = pool->free_reading;
		pool->free_reading = &pool->readings[i];
	}
}

static struct vmsi_reading *take(struct vms_pool *pool)
{
	struct vmsi_reading *reading;

	vmsi_lock_acquire(&pool->lock);
	reading = pool->free_reading;
	if (reading)
		pool->free_reading = reading->next;
	vmsi_lock_release(&pool->lock);
	return reading;
}

static void give(struct vms_pool *pool, struct vmsi_reading *reading)
{
	vmsi_lock_acquire(&pool->lock);
	reading->next = pool->free_reading;
	pool->free_reading = reading;
	vmsi_lock_release(&pool->lock);
}

/* --- the end of a read ---------------------------------------------------------------------------- */

/* A page that could not be read is absent again: who fixes it is told why. */
static void end_reading(struct vmsi_io_request *request)
{
	struct vmsi_reading *reading = request->context;
	struct vms_pool *pool = reading->pool;
	const uint64_t page = reading->page;

	if (vmsi_store_end_read(&pool->store, request) == 0) {
		(void)vmsi_word_publish(vmsi_pool_word(pool, page), reading->slot,
					VMSI_LOOK);
		vmsi_miss_count(pool, reading->began);
	} else {
		vmsi_miss_abort(pool, page, reading->slot);
	}
	if (request->is_detached)
		give(pool, reading);
}

/* --- the begin --------------------------------------------------------------------------------------- */

/* What is fixed or dirty is not waited for. */
static bool take_slot(struct vms_pool *pool, struct vmsi_reading *reading, uint64_t seen)
{
	int error;

	do {
		error = vmsi_miss_try(pool, reading->page, seen, &reading->slot);
	} while (error == -ENOBUFS && vmsi_evict(pool, NULL) > 0);
	return error == 0;
}

static bool begin(struct vms_pool *pool, struct vmsi_reading *reading, uint64_t page,
		  enum vmsi_reading_end end)
{
	const uint64_t seen = vmsi_word_load(vmsi_pool_word(pool, page));

	reading->pool = pool;
	reading->page = page;
	reading->began = vmsi_host.clock();
	if (seen & (VMSI_WORD_RESIDENT | VMSI_WORD_LOCK) ||
	    !take_slot(pool, reading, seen))
		return false;
	reading->request = (struct vmsi_io_request){
		.opcode = VMSI_IO_READ,
		.fd = pool->store.fd,
		.buffer = vmsi_pool_at(pool, page, reading->slot),
		.is_detached = end == VMSI_READING_ALONE,
		.length = pool->page_size,
		.offset = page << pool->view.page_shift,
		.done = end_reading,
		.context = reading,
	};
	return true;
}

size_t vmsi_reading_begin(struct vms_pool *pool, const uint64_t *pages, size_t count,
			  size_t *place, enum vmsi_reading_end end,
			  struct vmsi_reading **reads)
{
	struct vmsi_io_request *requests[VMS_POOL_MANY];
	struct vmsi_reading *reading = NULL;
	size_t begun = 0;

	for (; *place < count; ++*place) {
		if (pages[*place] >= vmsi_pool_count(pool))
			continue;
		if (!reading)
			reading = take(pool);
		if (!reading)
			break;
		if (!begin(pool, reading, pages[*place], end))
			continue;
		requests[begun] = &reading->request;
		if (reads)
			reads[begun] = reading;
		begun++;
		reading = NULL;
	}
	if (reading)
		give(pool, reading);
	vmsi_io_submit(pool->store.io, requests, begun);
	return begun;
}

void vmsi_reading_wait(struct vms_pool *pool, struct vmsi_reading **reads, size_t count)
{
	for (size_t i = 0; i < count; i++)
		(void)vmsi_io_wait(pool->store.io, &reads[i]->request);
	for (size_t i = 0; i < count; i++)
		give(pool, reads[i]);
}
