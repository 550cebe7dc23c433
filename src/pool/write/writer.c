/* SPDX-License-Identifier: MIT */
#include "pool/write/writer.h"

#include "host/host.h"
#include "pool/aside/spill.h"
#include "pool/evict/evict.h"
#include "pool/plain/shield.h"
#include "pool/write/write.h"

/* A sleep without work, at most; and one after a batch that nothing came of. */
#define SLEEP_MOST UINT64_C(10000000000)
#define SLEEP_AFTER_FAILURE 20000000u

/* Addresses of its stack; the program's callback runs on it, too. */
#define STACK ((size_t)1 << 20)

enum outcome { NOTHING_TO_DO, HAS_WRITTEN, CANNOT_WRITE };

static enum outcome write_next(struct vms_pool *pool)
{
	struct vmsi_batch batch;
	struct vmsi_outcome written;

	vmsi_evict_gather(pool, &batch);
	if (batch.count > pool->staging_pages)
		batch.count = pool->staging_pages;
	if (!batch.count)
		return NOTHING_TO_DO;
	if (vmsi_spill_batch(pool, &batch, &written) != 0)
		return CANNOT_WRITE;
	/* Pages would be put in the place of each other for ever, and none could leave. */
	return written.written && !written.is_full ? HAS_WRITTEN : CANNOT_WRITE;
}

static void *run(void *argument)
{
	struct vms_pool *pool = argument;

	vmsi_shield_let_faults_in(pool);
	while (!atomic_load(&pool->writer_ends)) {
		const uint32_t calls = atomic_load(&pool->writer_calls);
		const enum outcome outcome = write_next(pool);

		if (outcome == CANNOT_WRITE)
			(void)vmsi_host.nanosleep(SLEEP_AFTER_FAILURE);
		if (outcome != HAS_WRITTEN && !atomic_load(&pool->writer_ends))
			(void)vmsi_host.futex_wait((const void *)&pool->writer_calls,
						   calls, SLEEP_MOST);
	}
	return NULL;
}

int vmsi_writer_start(struct vms_pool *pool)
{
	const long error = vmsi_host.start_thread(&pool->writer, STACK, run, pool);

	pool->has_writer = error == 0;
	return error ? -EAGAIN : 0;
}

void vmsi_writer_end(struct vms_pool *pool)
{
	if (!pool->has_writer)
		return;
	atomic_store(&pool->writer_ends, true);
	vmsi_writer_call(pool);
	vmsi_host.join_thread(pool->writer);
	pool->has_writer = false;
}

void vmsi_writer_call(struct vms_pool *pool)
{
	if (!pool->has_writer)
		return;
	(void)atomic_fetch_add(&pool->writer_calls, 1);
	(void)vmsi_host.futex_wake((const void *)&pool->writer_calls, 1);
}
