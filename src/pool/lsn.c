/* SPDX-License-Identifier: MIT */
#include "pool/pool.h"
#include "space/inside.h"

/* The order of write-back: numbers of the program's log. */

static void make_less(_Atomic uint64_t *lsn, uint64_t value)
{
	uint64_t seen = atomic_load(lsn);

	while (value < seen && !atomic_compare_exchange_weak(lsn, &seen, value))
		;
}

static void make_more(_Atomic uint64_t *lsn, uint64_t value)
{
	uint64_t seen = atomic_load(lsn);

	while (value > seen && !atomic_compare_exchange_weak(lsn, &seen, value))
		;
}

int vms_pool_dirty(vms_pool *pool, uint64_t page, uint64_t lsn)
{
	const int error = vmsi_pool_enter_page(pool, page);
	struct vmsi_page_slot *slot;
	uint64_t word;

	if (error)
		return vmsi_status(error);
	word = vmsi_word_load(vmsi_pool_word(pool, page));
	if (lsn == 0 || lsn == UINT64_MAX || vmsi_word_lock(word) != VMSI_WORD_WRITER)
		return vmsi_status(-EINVAL);
	if (pool->store.kind == VMSI_STORE_MEMORY)
		return 0;
	slot = vmsi_pool_slot(pool, word);
	/* A write that has failed may make the first one less at the same time. */
	make_less(&slot->first_lsn, lsn);
	make_more(&slot->last_lsn, lsn);
	return 0;
}

int vms_pool_durable(vms_pool *pool, uint64_t lsn)
{
	const int error = vmsi_pool_enter(pool);

	if (error)
		return vmsi_status(error);
	make_more(&pool->durable, lsn);
	return 0;
}
