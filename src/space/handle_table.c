/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include <vmspace/handle.h>

#include "base/panic.h"
#include "host/host.h"
#include "space/handle_table.h"
#include "space/inside.h"
#include "space/refusal.h"
#include "space/space.h"
#include "space/walk.h"

/*
 * Each handle has an entry in a table that never moves, so that readers need no
 * lock. A second ordered map (handles->map) finds the entries in a range of
 * addresses when its memory moves.
 *
 * A handle's value is the generation of its entry (high half) and the entry's
 * index plus one (low half). The generation grows when the handle is closed or
 * its memory goes, so that a stale handle is recognized.
 */

#define CHUNK_ENTRIES 1024
#define CHUNKS 4096

struct vmsi_entry {
	/* Odd while address and length are being changed. */
	_Atomic uint32_t sequence;
	_Atomic uint32_t generation;
	_Atomic uintptr_t address;   /* 0: the entry is free */
	_Atomic size_t length;
	uint32_t next_free;          /* index plus one; 0: none */
};

struct vmsi_handles {
	struct vmsi_map map;         /* attributes.object points to the entry */
	struct vmsi_entry *_Atomic chunks[CHUNKS];
	uint32_t used;               /* entries that were ever given out */
	uint32_t free;               /* index plus one of the first free entry */
};

/* --- table ---------------------------------------------------------------------- */

static size_t handles_bytes(void)
{
	return vmsi_align_up(sizeof(struct vmsi_handles), vmsi_page_size());
}

static size_t chunk_bytes(void)
{
	return vmsi_align_up(CHUNK_ENTRIES * sizeof(struct vmsi_entry),
			     vmsi_page_size());
}

static struct vmsi_handles *make_handles(struct vms_space *space)
{
	struct vmsi_pool_source source = { vmsi_records_get, vmsi_records_put,
					   space };
	struct vmsi_handles *handles = atomic_load(&space->handles);

	if (handles)
		return handles;
	handles = vmsi_records_get(space, handles_bytes());
	if (!handles)
		return NULL;
	vmsi_map_init(&handles->map, space->range, 0, source);
	atomic_store(&space->handles, handles);
	return handles;
}

void vmsi_handles_release(struct vms_space *space)
{
	struct vmsi_handles *handles = atomic_load(&space->handles);

	if (!handles)
		return;
	for (size_t i = 0; i < CHUNKS; i++) {
		struct vmsi_entry *chunk = atomic_load(&handles->chunks[i]);

		if (chunk)
			vmsi_records_put(space, chunk, chunk_bytes());
	}
	vmsi_map_destroy(&handles->map);
	vmsi_records_put(space, handles, handles_bytes());
	atomic_store(&space->handles, NULL);
}

static struct vmsi_entry *entry_at(struct vmsi_handles *handles,
				   uint32_t index)
{
	struct vmsi_entry *chunk = NULL;

	if (index / CHUNK_ENTRIES < CHUNKS)
		chunk = atomic_load_explicit(
			&handles->chunks[index / CHUNK_ENTRIES],
			memory_order_acquire);
	return chunk ? &chunk[index % CHUNK_ENTRIES] : NULL;
}

/* Take an unused entry and its index; NULL: no memory. */
static struct vmsi_entry *take_entry(struct vms_space *space,
				struct vmsi_handles *handles, uint32_t *index)
{
	struct vmsi_entry *chunk;

	if (handles->free) {
		struct vmsi_entry *entry =
			entry_at(handles, handles->free - 1);

		*index = handles->free - 1;
		if (entry) {
			handles->free = entry->next_free;
			return entry;
		}
		vmsi_panic("invariant 9: a free handle has no entry");
	}
	if (handles->used == CHUNKS * CHUNK_ENTRIES)
		return NULL;
	*index = handles->used;
	if (!entry_at(handles, *index)) {
		chunk = vmsi_records_get(space, chunk_bytes());
		if (!chunk)
			return NULL;
		atomic_store_explicit(&handles->chunks[*index / CHUNK_ENTRIES],
				      chunk, memory_order_release);
	}
	handles->used++;
	return entry_at(handles, *index);
}

static uint32_t index_of(struct vmsi_handles *handles,
			 const struct vmsi_entry *entry)
{
	for (uint32_t i = 0; i < CHUNKS; i++) {
		struct vmsi_entry *chunk = atomic_load(&handles->chunks[i]);

		if (chunk && entry >= chunk && entry < chunk + CHUNK_ENTRIES)
			return i * CHUNK_ENTRIES + (uint32_t)(entry - chunk);
	}
	vmsi_panic("a handle's entry is in no chunk");
}

static void set_entry(struct vmsi_entry *entry, uintptr_t address,
		      size_t length)
{
	atomic_fetch_add(&entry->sequence, 1);
	atomic_store(&entry->address, address);
	atomic_store(&entry->length, length);
	atomic_fetch_add(&entry->sequence, 1);
}

static void give_entry(struct vmsi_handles *handles, struct vmsi_entry *entry)
{
	set_entry(entry, 0, 0);
	atomic_fetch_add(&entry->generation, 1);
	entry->next_free = handles->free;
	handles->free = index_of(handles, entry) + 1;
}

/* The address and length of an entry as they were at one instant. */
static void read_entry(struct vmsi_entry *entry, uintptr_t *address,
		       size_t *length)
{
	uint32_t before, after;

	do {
		before = atomic_load(&entry->sequence);
		*address = atomic_load(&entry->address);
		*length = atomic_load(&entry->length);
		after = atomic_load(&entry->sequence);
	} while (before != after || (before & 1));
}

/* --- handles and entries ------------------------------------------------------------ */

static struct vmsi_entry *stale(void)
{
#ifdef VMSI_DEBUG
	vmsi_panic("a stale handle was used");
#else
	errno = ESTALE;
	return NULL;
#endif
}

struct vmsi_entry *vmsi_handle_find(struct vms_space *space,
					   vms_handle handle,
					   uintptr_t *address, size_t *length)
{
	struct vmsi_handles *handles =
		space ? atomic_load(&space->handles) : NULL;
	uint32_t number = (uint32_t)handle.value;
	struct vmsi_entry *entry =
		handles && number ? entry_at(handles, number - 1) : NULL;

	if (!entry)
		return stale();
	read_entry(entry, address, length);
	if (*address == 0 ||
	    atomic_load(&entry->generation) != (uint32_t)(handle.value >> 32))
		return stale();
	return entry;
}

/* --- following the mappings ------------------------------------------------------------ */

static void place_entry(struct vmsi_handles *handles, struct vmsi_entry *entry,
			struct vmsi_range range)
{
	struct vmsi_attributes attributes = {
		.object = (struct vmsi_object *)(void *)entry,
	};

	vmsi_map_insert(&handles->map, range, 0, &attributes);
	set_entry(entry, range.start, vmsi_range_length(range));
}

/* Free the entries that begin in the range; cut those that begin before. */
void vmsi_handles_unmapped(struct vms_space *space, struct vmsi_range range)
{
	struct vmsi_handles *handles = atomic_load(&space->handles);
	struct vmsi_mapping *mapping;

	if (!handles)
		return;
	while ((mapping = vmsi_map_find(&handles->map, range.start)) &&
	       mapping->start < range.end) {
		struct vmsi_entry *entry = (void *)mapping->attributes.object;
		struct vmsi_range old = vmsi_mapping_range(mapping);

		vmsi_map_erase(&handles->map, old);
		if (old.start < range.start)
			place_entry(handles, entry,
				    (struct vmsi_range){ old.start,
							 range.start });
		else
			give_entry(handles, entry);
	}
}

void vmsi_handles_moved(struct vms_space *space, struct vmsi_range source,
			struct vmsi_range target)
{
	struct vmsi_handles *handles = atomic_load(&space->handles);
	uintptr_t at = source.start;
	struct vmsi_mapping *mapping;

	if (!handles)
		return;
	/* An entry follows its first page, cut to what moves of it. */
	while ((mapping = vmsi_map_find(&handles->map, at)) &&
	       mapping->start < source.end) {
		struct vmsi_entry *entry = (void *)mapping->attributes.object;
		struct vmsi_range old = vmsi_mapping_range(mapping);
		struct vmsi_range moved;

		at = old.end;
		if (old.start < source.start)
			continue;
		moved.start = target.start + (old.start - source.start);
		moved.end = moved.start +
			(vmsi_min(old.end, source.end) - old.start);
		if (old.start == source.start && old.end == source.end)
			moved.end = target.end;
		vmsi_map_erase(&handles->map, old);
		place_entry(handles, entry, moved);
	}
}

void vmsi_handles_resized(struct vms_space *space, uintptr_t start,
			  size_t old_length, size_t new_length)
{
	struct vmsi_handles *handles = atomic_load(&space->handles);
	struct vmsi_mapping *mapping;
	struct vmsi_entry *entry;

	if (!handles || new_length <= old_length)
		return;
	mapping = vmsi_map_lookup(&handles->map, start);
	if (!mapping || mapping->start != start ||
	    mapping->end != start + old_length)
		return;
	entry = (void *)mapping->attributes.object;
	vmsi_map_erase(&handles->map, vmsi_mapping_range(mapping));
	place_entry(handles, entry,
		    (struct vmsi_range){ start, start + new_length });
}

/* --- for handle.c ------------------------------------------------------------ */

int vmsi_handle_make(struct vms_space *space, struct vmsi_range range,
		     vms_handle *handle)
{
	struct vmsi_handles *handles;
	struct vmsi_entry *entry;
	uint32_t index;

	handles = make_handles(space);
	if (!handles)
		return vmsi_refuse_records(space);
	if (!vmsi_map_is_free(&handles->map, range))
		return -EEXIST;
	/*
	 * No later change of the entry needs more records: when it moves or is
	 * cut, its record is given back before another is taken.
	 */
	if (vmsi_map_reserve(&handles->map, VMSI_MAP_RECORDS))
		return vmsi_refuse_records(space);
	entry = take_entry(space, handles, &index);
	if (!entry)
		return vmsi_refuse_records(space);
	place_entry(handles, entry, range);
	handle->value = (uint64_t)atomic_load(&entry->generation) << 32 |
		(index + 1);
	return 0;
}

void vmsi_handle_drop(struct vms_space *space, struct vmsi_entry *entry,
		      struct vmsi_range range)
{
	struct vmsi_handles *handles = atomic_load(&space->handles);

	vmsi_map_erase(&handles->map, range);
	give_entry(handles, entry);
}
