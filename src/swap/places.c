/* SPDX-License-Identifier: MIT */
#include "swap/places.h"

#include "base/align.h"
#include "base/panic.h"
#include "host/host.h"
#include "swap/memory.h"
#include "swap/object.h"

enum vmsi_need vmsi_place_need(struct vmsi_swap *swap)
{
	const size_t bytes = swap->fresh_place * sizeof(*swap->places);

	if (swap->free_place)
		return VMSI_NEED_NOTHING;
	if (swap->fresh_place == swap->place_count)
		return VMSI_NEED_MEMORY;
	if (!vmsi_is_aligned(bytes, vmsi_page_size()))
		return VMSI_NEED_NOTHING;
	switch (vmsi_memory_fits(swap, vmsi_page_size())) {
	case VMSI_FITS:
		return VMSI_NEED_NOTHING;
	case VMSI_FITS_LATER:
		return VMSI_NEED_BUFFER;
	case VMSI_FITS_NEVER:
		break;
	}
	return VMSI_NEED_MEMORY;
}

uint64_t vmsi_place_take(struct vmsi_swap *swap)
{
	uint64_t place = swap->fresh_place;

	if (swap->free_place) {
		place = swap->free_place - 1;
		swap->free_place = swap->places[place] >> 2;
	} else {
		swap->fresh_place++;
	}
	swap->figures.pages++;
	return place;
}

void vmsi_place_give(struct vmsi_swap *swap, uint64_t place)
{
	const uint64_t word = swap->places[place];

	swap->places[place] = VMSI_PLACE_FREE | swap->free_place << 2;
	swap->free_place = place + 1;
	swap->figures.pages--;
	if (vmsi_place_kind(word) == VMSI_PLACE_ZERO)
		swap->figures.zero_pages--;
	if (vmsi_place_kind(word) != VMSI_PLACE_OBJECT)
		return;
	swap->figures.object_bytes -= vmsi_place_size(word);
	swap->clusters[vmsi_place_cluster(word)].live -= (uint32_t)vmsi_place_size(word);
	vmsi_cluster_settle(swap, vmsi_place_cluster(word));
}

bool vmsi_place_is_used(const struct vmsi_swap *swap, uint64_t place)
{
	return place < swap->fresh_place &&
		vmsi_place_kind(swap->places[place]) != VMSI_PLACE_FREE;
}
