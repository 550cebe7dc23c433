/* SPDX-License-Identifier: MIT */
#include "swap/append.h"

#include <string.h>

static bool has_room(const struct vmsi_swap *swap, uint32_t id, size_t size)
{
	return id != VMSI_NONE && swap->clusters[id].fill + size <= swap->cluster_bytes;
}

/* What pads it goes to the file, so it is not what was in memory earlier. */
static void copy(char *target, const struct vmsi_object *object, const void *bytes,
		 size_t size)
{
	const size_t length = sizeof(*object) + object->bytes;

	memcpy(target, object, sizeof(*object));
	memcpy(target + sizeof(*object), bytes, object->bytes);
	memset(target + length, 0, size - length);
}

enum vmsi_need vmsi_append(struct vmsi_swap *swap, enum vmsi_filling filling,
			   const struct vmsi_object *object, const void *bytes,
			   uint64_t *word)
{
	const size_t size = vmsi_object_size(object->bytes);
	struct vmsi_cluster *cluster;
	uint32_t id;

	if (!has_room(swap, swap->open[filling], size)) {
		const enum vmsi_need need = vmsi_cluster_open(swap, filling);

		if (need != VMSI_NEED_NOTHING)
			return need;
	}
	id = swap->open[filling];
	cluster = &swap->clusters[id];
	copy(vmsi_cluster_bytes(swap, id) + cluster->fill, object, bytes, size);
	*word = vmsi_place_of_object(id, cluster->fill, size);
	cluster->fill += (uint32_t)size;
	cluster->live += (uint32_t)size;
	return VMSI_NEED_NOTHING;
}
