/* SPDX-License-Identifier: MIT */
#include "pool/plain/shield.h"
#include "pool/pool.h"
#include "pool/slots.h"
#include "space/inside.h"

/* vms_pool_hint. */

#define HOTTEST 3

/* Make a page so hot, whatever else happens to its word. */
static void set_heat(uint64_t *word, uint64_t seen, unsigned heat)
{
	while ((seen & VMSI_WORD_RESIDENT) && vmsi_word_lock(seen) != VMSI_WORD_BUSY &&
	       vmsi_word_heat(seen) != heat && !vmsi_word_set_heat(word, seen, heat))
		seen = vmsi_word_load(word);
}

/* Under the lock, so that the page does not leave its slot, nor the slot its queue. */
static void apply(struct vms_pool *pool, uint64_t page, enum vms_pool_hint hint)
{
	uint64_t *word = vmsi_pool_word(pool, page);
	const uint64_t seen = vmsi_word_load(word);
	const uint32_t number =
		(uint32_t)vmsi_word_slot(seen, pool->view.version_shift);

	if (!(seen & VMSI_WORD_RESIDENT) || vmsi_word_lock(seen) == VMSI_WORD_BUSY ||
	    atomic_load(&pool->slots[number].page) != page)
		return;
	set_heat(word, seen, hint == VMS_POOL_KEEP ? HOTTEST : 0);
	if (hint == VMS_POOL_ONCE || vmsi_queue_of(pool, number) == VMSI_LENT)
		return;
	vmsi_queue_remove(pool, number);
	if (hint == VMS_POOL_KEEP)
		vmsi_queue_append(pool, VMSI_MAIN, number);
	else
		vmsi_queue_prepend(pool, VMSI_SMALL, number);
}

int vms_pool_hint(vms_pool *pool, uint64_t page, enum vms_pool_hint hint)
{
	struct vmsi_shield shield;
	int error = vmsi_pool_enter_page(pool, page);

	if (!error && hint != VMS_POOL_KEEP && hint != VMS_POOL_ONCE &&
	    hint != VMS_POOL_DONE)
		error = -EINVAL;
	if (error)
		return vmsi_status(error);
	vmsi_shield_raise(pool, &shield);
	vmsi_latch_acquire(&pool->lock);
	apply(pool, page, hint);
	vmsi_latch_release(&pool->lock);
	vmsi_shield_lower(&shield);
	return 0;
}
