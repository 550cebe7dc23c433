/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/mman.h"
#include "host/host.h"
#include "space/handle_table.h"
#include "space/records.h"
#include "space/refusal.h"
#include "space/space.h"
#include "space/walk.h"

/*
 * After the host has acted, an operation writes the result into the map, the
 * ledger and the objects by the functions of this file, which cannot fail.
 */

/* The most records that an operation needs after vmsi_reserve_records. */
#define OPERATION_RECORDS ((size_t)8 * VMSI_MAP_RECORDS)
#define OPERATION_STACKS 2

static int reserve(struct vms_space *space, size_t operations)
{
	if (vmsi_map_reserve(&space->map, operations * OPERATION_RECORDS) ||
	    vmsi_stacks_reserve(&space->stacks, operations * OPERATION_STACKS))
		return vmsi_refuse_records(space);
	return 0;
}

int vmsi_reserve_records(struct vms_space *space)
{
	return reserve(space, 2);
}

int vmsi_reserve_to_give_back(struct vms_space *space)
{
	return reserve(space, 1);
}

static void count_mapped(const struct vmsi_attributes *attributes,
			 size_t length)
{
	if (attributes->object)
		attributes->object->mapped += length;
	if (vmsi_holds_object(attributes))
		attributes->object->holding += length;
	if (attributes->name)
		attributes->name->mapped += length;
}

static void count_unmapped(struct vms_space *space,
			   const struct vmsi_attributes *attributes,
			   size_t length)
{
	if (vmsi_holds_object(attributes)) {
		attributes->object->holding -= length;
		if (attributes->object->holding == 0)
			vmsi_object_release(space, attributes->object);
	}
	if (attributes->object) {
		attributes->object->mapped -= length;
		vmsi_object_drop(space, attributes->object);
	}
	if (attributes->name) {
		attributes->name->mapped -= length;
		vmsi_name_drop(space, attributes->name);
	}
}

/* Erase all records in a range but those of foreign memory. */
static void erase_ours(struct vms_space *space, struct vmsi_range range)
{
	while (range.start < range.end) {
		struct vmsi_range ours = vmsi_next_ours(space, range);

		if (ours.start < ours.end)
			vmsi_map_erase(&space->map, ours);
		range.start = ours.end;
	}
}

void vmsi_forget(struct vms_space *space, struct vmsi_range range)
{
	vmsi_for_each(space, mapping, range) {
		size_t length = vmsi_range_length(vmsi_piece(mapping, range));

		if (vmsi_has(&mapping->attributes, VMSI_ACCOUNTED))
			vmsi_ledger_uncharge(&space->ledger, length);
		count_unmapped(space, &mapping->attributes, length);
	}
	erase_ours(space, range);
	vmsi_handles_unmapped(space, range);
	vmsi_stacks_changed(space, range);
}

static void insert(struct vms_space *space, struct vmsi_range range,
		   uint64_t offset, const struct vmsi_attributes *attributes)
{
	vmsi_map_insert(&space->map, range, offset, attributes);
	vmsi_warm_trim(space, range);
	vmsi_stacks_changed(space, range);
}

void vmsi_publish(struct vms_space *space, struct vmsi_range range,
		  uint64_t offset, const struct vmsi_attributes *attributes)
{
	/*
	 * Count first: vmsi_forget may erase the only other mapping of the
	 * object, and would free the object.
	 */
	count_mapped(attributes, vmsi_range_length(range));
	vmsi_forget(space, range);
	insert(space, range, offset, attributes);
}

void vmsi_publish_free(struct vms_space *space, struct vmsi_range range,
		       uint64_t offset, const struct vmsi_attributes *attributes)
{
	count_mapped(attributes, vmsi_range_length(range));
	insert(space, range, offset, attributes);
}

struct counted_change {
	struct vms_space *space;
	void (*change)(struct vmsi_mapping *piece, void *context);
	void *context;
};

static void change_counted(struct vmsi_mapping *piece, void *context)
{
	struct counted_change *counted = context;
	struct vmsi_attributes before = piece->attributes;
	size_t length = vmsi_range_length(vmsi_mapping_range(piece));

	counted->change(piece, counted->context);
	if (piece->attributes.object == before.object &&
	    piece->attributes.name == before.name)
		return;
	count_mapped(&piece->attributes, length);
	count_unmapped(counted->space, &before, length);
}

void vmsi_change(struct vms_space *space, struct vmsi_range range,
		 void (*change)(struct vmsi_mapping *piece, void *context),
		 void *context)
{
	struct counted_change counted = { space, change, context };

	vmsi_map_update(&space->map, range, change_counted, &counted);
	vmsi_stacks_changed(space, range);
}

size_t vmsi_charged_in(const struct vms_space *space, struct vmsi_range range)
{
	size_t charged = 0;

	vmsi_for_each(space, mapping, range)
		if (vmsi_has(&mapping->attributes, VMSI_ACCOUNTED))
			charged += vmsi_range_length(vmsi_piece(mapping, range));
	return charged;
}

/*
 * Whether a mapping without VMSI_TOUCHED may have been touched. Memory that is
 * not charged was never writable; but on a host without a zero page a read
 * touches it, and then it keeps the charge that it may get later.
 */
static bool may_be_touched(const struct vmsi_attributes *attributes)
{
	if (vmsi_has(attributes, VMSI_TOUCHED) ||
	    !vmsi_is_private_anonymous(attributes))
		return false;
	return vmsi_has(attributes, VMSI_ACCOUNTED) ||
		(attributes->prot != PROT_NONE && !vmsi_host_has_zero_page());
}

void vmsi_learn_touched(struct vms_space *space, struct vmsi_range range,
			enum vmsi_learn which)
{
	vmsi_for_each(space, mapping, range) {
		struct vmsi_attributes *attributes = &mapping->attributes;

		if (!may_be_touched(attributes))
			continue;
		if (which == VMSI_LEARN_SPLIT && mapping->start >= range.start &&
		    mapping->end <= range.end)
			continue;
		/*
		 * Ask about the whole mapping: the host's mark (anon_vma) is of
		 * all of it, and each part that is split off inherits it.
		 */
		if (vmsi_host_has_pages(vmsi_mapping_range(mapping)))
			attributes->flags |= VMSI_TOUCHED;
	}
}
