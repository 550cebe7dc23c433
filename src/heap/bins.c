/* SPDX-License-Identifier: MIT */
#include "heap/bins.h"

#include "host/host.h"

unsigned vmsi_bin_of(size_t bytes)
{
	size_t pages = bytes / vmsi_page_size();
	unsigned log;

	if (pages < 4)
		return (unsigned)pages;
	log = (unsigned)(63 - __builtin_clzll(pages));
	return 4 * (log - 1) + (unsigned)((pages >> (log - 2)) & 3);
}

void vmsi_bin_add(struct vmsi_bins *bins, struct vmsi_slot *slot)
{
	unsigned bin = vmsi_bin_of(slot->retained.touched);

	slot->previous = NULL;
	slot->next = bins->first[bin];
	if (slot->next)
		slot->next->previous = slot;
	bins->first[bin] = slot;
	bins->filled[bin / 64] |= UINT64_C(1) << bin % 64;
}

void vmsi_bin_remove(struct vmsi_bins *bins, struct vmsi_slot *slot)
{
	unsigned bin = vmsi_bin_of(slot->retained.touched);

	if (slot->next)
		slot->next->previous = slot->previous;
	if (slot->previous)
		slot->previous->next = slot->next;
	else
		bins->first[bin] = slot->next;
	if (!bins->first[bin])
		bins->filled[bin / 64] &= ~(UINT64_C(1) << bin % 64);
}

unsigned vmsi_bin_filled_from(const struct vmsi_bins *bins, unsigned bin)
{
	for (; bin < VMSI_HEAP_BINS; bin = (bin / 64 + 1) * 64) {
		uint64_t filled = bins->filled[bin / 64] >> bin % 64;

		if (filled)
			return bin + (unsigned)__builtin_ctzll(filled);
	}
	return VMSI_HEAP_BINS;
}

unsigned vmsi_bin_filled_below(const struct vmsi_bins *bins, unsigned bin)
{
	while (bin-- > 0)
		if (bins->filled[bin / 64] & (UINT64_C(1) << bin % 64))
			return bin;
	return VMSI_HEAP_BINS;
}

const char *vmsi_bin_check(const struct vmsi_bins *bins, unsigned bin,
			   bool small_pages, size_t *count)
{
	const struct vmsi_slot *previous = NULL;
	const bool filled = bins->filled[bin / 64] & (UINT64_C(1) << bin % 64);

	if (filled != (bins->first[bin] != NULL))
		return "H3: the mark of a bin does not say whether it is filled";
	for (const struct vmsi_slot *slot = bins->first[bin]; slot;
	     previous = slot, slot = slot->next) {
		if (vmsi_slot_use(slot) != VMSI_SLOT_RETAINED)
			return "H2: a slot in a bin is not retained";
		if (vmsi_bin_of(slot->retained.touched) != bin ||
		    slot->small_pages != small_pages || slot->previous != previous)
			return "H3: a slot is in a bin that is not its own";
		++*count;
	}
	return NULL;
}
