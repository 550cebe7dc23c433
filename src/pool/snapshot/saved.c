/* SPDX-License-Identifier: MIT */
#include "pool/snapshot/saved.h"

uint64_t vmsi_saved_entries(uint32_t most)
{
	uint64_t entries = 2;

	while (entries < 2 * (uint64_t)most)
		entries *= 2;
	return entries;
}

static uint64_t hash(uint64_t page)
{
	page *= UINT64_C(0x9e3779b97f4a7c15);
	return page ^ page >> 32;
}

static uint64_t page_of(uint64_t entry)
{
	return entry & ((UINT64_C(1) << VMSI_SAVED_PAGE_BITS) - 1);
}

/*
 * Half of the entries are free, so that each search ends; but who shares the memory may
 * have written anything there, so that it also ends when all have been seen.
 */
uint32_t vmsi_saved_find(const struct vmsi_saved *saved, uint64_t page)
{
	uint64_t at = hash(page);

	for (uint64_t i = 0; i <= saved->mask; i++, at++) {
		const uint64_t entry = atomic_load_explicit(
			&saved->entries[at & saved->mask], memory_order_acquire);
		const uint64_t place = entry >> VMSI_SAVED_PAGE_BITS;

		if (!place)
			break;
		if (page_of(entry) == page)
			return (uint32_t)(place - 1);
	}
	return VMSI_NOT_SAVED;
}

void vmsi_saved_add(struct vmsi_saved *saved, uint64_t page)
{
	const uint64_t entry = page | (uint64_t)++saved->count << VMSI_SAVED_PAGE_BITS;
	uint64_t at = hash(page);

	for (uint64_t i = 0; i <= saved->mask; i++, at++) {
		_Atomic uint64_t *place = &saved->entries[at & saved->mask];

		if (atomic_load_explicit(place, memory_order_relaxed))
			continue;
		atomic_store_explicit(place, entry, memory_order_release);
		return;
	}
}
