/* SPDX-License-Identifier: MIT */
#include "code/caches.h"

#include <linux/membarrier.h>

#include "host/host.h"

/*
 * The caches are one thing, and __builtin___clear_cache makes them agree on all
 * processors. What a processor has fetched into its pipeline is the other: it runs
 * that, though memory has changed, until it serializes. x86-64 drops it by itself
 * when the line is written to; that it must serialize is asked for where the bytes
 * have been code before, and no round has come since that was freed. aarch64 asks for it always, since a processor may fetch from
 * where no jump has been yet. membarrier(2) has each running thread do it.
 */

void vmsi_caches_open(struct vms_code *code)
{
	code->core_sync = vmsi_host.membarrier(
		MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE) == 0;
}

bool vmsi_needs_core_sync(const struct vms_code *code,
			  const struct vmsi_chunk *chunk)
{
#if defined(__x86_64__)
	return code->core_sync && chunk->freed > atomic_load(&code->synced);
#else
	(void)chunk;
	return code->core_sync;
#endif
}

static void sync_cores(void)
{
	/* The child of a fork may have to register anew. */
	if (vmsi_host.membarrier(
		    MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE) == 0)
		return;
	(void)vmsi_host.membarrier(
		MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE);
	(void)vmsi_host.membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE);
}

void vmsi_sync_cores(struct vms_code *code, uint64_t frees)
{
	uint64_t synced = atomic_load(&code->synced);

	sync_cores();
	/* Another thread's round may have been later. */
	while (synced < frees &&
	       !atomic_compare_exchange_weak(&code->synced, &synced, frees))
		;
}
