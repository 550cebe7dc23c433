/* SPDX-License-Identifier: MIT */
#include "budget/distinct.h"

#include <string.h>
#include <sys/mman.h>

#include "base/align.h"
#include "host/host.h"

/*
 * The table is hashed by identity, with open addressing. Other processes can
 * change the objects meanwhile, to anything. Then the sum is wrong; places.c
 * finds out that something was changed.
 */

size_t vmsi_object_value(const struct vmsi_budget_object *object,
			 enum vmsi_object_value value)
{
	size_t asking = value == VMSI_OBJECT_CLAIMED ?
		atomic_load(&object->asking) : 0;

	return vmsi_max(atomic_load(&object->bytes), asking);
}

uint32_t *vmsi_distinct_table(void)
{
	long address = vmsi_host.mmap(0, VMSI_DISTINCT_BYTES,
				      PROT_READ | PROT_WRITE,
				      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return address < 0 ? NULL : (uint32_t *)address;
}

void vmsi_distinct_free(uint32_t *table)
{
	if (table)
		vmsi_host.munmap((uintptr_t)table, VMSI_DISTINCT_BYTES);
}

void vmsi_distinct_begin(struct vmsi_distinct *distinct, uint32_t *table,
			 const struct vmsi_budget_object *all, size_t count)
{
	size_t entries = 16;

	/* Only the entries that this sum needs are cleared, and touched. */
	while (entries < 2 * count && entries < VMSI_DISTINCT_ENTRIES)
		entries *= 2;
	memset(table, 0, entries * sizeof(*table));
	*distinct = (struct vmsi_distinct){ all, table, entries - 1, 0 };
}

static size_t hash_of(const struct vmsi_budget_object *object)
{
	uint64_t device = atomic_load(&object->device);
	uint64_t inode = atomic_load(&object->inode);

	return ((inode ^ (device << 32)) * UINT64_C(0x9e3779b97f4a7c15)) >> 32;
}

static bool is_same(const struct vmsi_budget_object *a,
		    const struct vmsi_budget_object *b)
{
	return atomic_load(&a->inode) == atomic_load(&b->inode) &&
		atomic_load(&a->device) == atomic_load(&b->device);
}

void vmsi_distinct_add(struct vmsi_distinct *distinct, uint32_t index,
		       enum vmsi_object_value value)
{
	const struct vmsi_budget_object *object = &distinct->all[index];
	const size_t hash = hash_of(object);
	size_t bytes = vmsi_object_value(object, value);
	size_t counted = 0;
	uint32_t *entry = NULL;

	for (size_t i = 0; i <= distinct->mask; i++) {
		entry = &distinct->table[(hash + i) & distinct->mask];
		if (*entry == 0)
			break;
		if (is_same(&distinct->all[*entry - 1], object)) {
			counted = vmsi_object_value(
				&distinct->all[*entry - 1], value);
			break;
		}
	}
	if (bytes <= counted)
		return;
	*entry = index + 1;
	distinct->sum = vmsi_add_saturating(distinct->sum, bytes - counted);
}
