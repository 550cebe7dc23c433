/* SPDX-License-Identifier: MIT */
#include "border.h"

#include "space/entry.h"
#include "space/handle_table.h"
#include "space/hostview.h"
#include "space/mend.h"
#include "space/move.h"
#include "space/records.h"
#include "space/refusal.h"
#include "space/remap_rules.h"
#include "space/reservation.h"
#include "space/space.h"
#include "space/walk.h"

/*
 * The space is reached here and nowhere else in this library: no public call
 * tells a space that memory has come from outside of it or has left it.
 */

/* A range of memory and the place that it goes to. */
struct crossing {
	struct vms_space *space;
	uintptr_t old;
	size_t old_length;
	size_t new_length;
	int flags;
	uintptr_t new_address;
};

/*
 * Linux moves several mappings at once only where they keep their size and
 * have a fixed place.
 */
static bool moves_each(const struct crossing *crossing)
{
	return (crossing->flags & MREMAP_FIXED) &&
		crossing->old_length == crossing->new_length;
}

static bool keeps_source(const struct crossing *crossing)
{
	return (crossing->flags & MREMAP_DONTUNMAP) ||
		crossing->old_length == 0;
}

static int check(struct crossing *crossing)
{
	uintptr_t end;
	int error = vmsi_remap_rules(crossing->old, &crossing->old_length,
				     &crossing->new_length, crossing->flags,
				     crossing->new_address);

	if (error)
		return error;
	return (crossing->flags & MREMAP_MAYMOVE) &&
		vmsi_add(crossing->old, crossing->old_length, &end) ?
		0 : -EINVAL;
}

static long ask_host(const struct crossing *crossing, int flags)
{
	return vmsi_host.mremap(crossing->old, crossing->old_length,
				crossing->new_length, flags,
				crossing->new_address);
}

/* --- out --------------------------------------------------------------------------- */

/*
 * A mapping that grows on its way out, and that the host has as several: it
 * goes as it is, and then its last page is grown where it has arrived.
 */
static long move_out_then_grow(const struct crossing *crossing)
{
	const size_t page = vmsi_page_size();
	struct vmsi_range source = { crossing->old,
				     crossing->old + crossing->old_length };
	uintptr_t end = crossing->new_address + crossing->old_length;
	size_t extension = crossing->new_length - crossing->old_length;
	long result = vmsi_move_in_parts(crossing->space, source,
					 crossing->new_address, 0);

	if (result < 0)
		return result;
	/* MREMAP_FIXED unmaps all of its target. */
	result = vmsi_host.munmap(end, extension);
	if (result >= 0)
		result = vmsi_host.mremap(end - page, page, page + extension, 0,
					  0);
	if (result >= 0)
		return (long)crossing->new_address;
	(void)vmsi_move_in_parts(crossing->space,
				 (struct vmsi_range){ crossing->new_address,
						      end }, crossing->old, 0);
	return result;
}

/* One mapping, or a part of it, leaves the space. */
static long move_out_one(const struct crossing *crossing)
{
	struct vms_space *space = crossing->space;
	struct vmsi_range source = { crossing->old,
				     crossing->old + crossing->old_length };
	bool mapped = false;
	long result = vmsi_reserve_records(space);

	if (result)
		return result;
	vmsi_learn_touched(space, source, VMSI_LEARN_SPLIT);
	if (moves_each(crossing) && vmsi_host_is_locked(source.start) != 1) {
		result = ask_host(crossing, crossing->flags | MREMAP_DONTUNMAP);
		mapped = result >= 0;
	}
	if (!mapped)
		result = ask_host(crossing, crossing->flags);
	if (result == -EFAULT && (crossing->flags & MREMAP_FIXED) &&
	    crossing->new_length > crossing->old_length &&
	    crossing->old_length > 0)
		result = move_out_then_grow(crossing);
	if (result < 0 || source.start == source.end)
		return result;
	vmsi_handles_unmapped(space, source);
	if (keeps_source(crossing)) {
		vmsi_unlock_kept(space, source, VMSI_PART);
		return result;
	}
	vmsi_forget(space, source);
	if (mapped)
		vmsi_give_back_or_leave(space, source);
	else
		vmsi_cover_free(space, source);
	return result;
}

static long move_out_each(const struct crossing *crossing)
{
	struct vms_space *space = crossing->space;
	struct vmsi_range rest = { crossing->old,
				   crossing->old + crossing->old_length };
	struct vmsi_mapping *mapping = vmsi_first(space, rest);

	if (!mapping || mapping->start > rest.start)
		return -EFAULT;
	while (mapping) {
		struct vmsi_range piece = vmsi_piece(mapping, rest);
		struct crossing part = *crossing;
		long result;

		part.old = piece.start;
		part.old_length = part.new_length = vmsi_range_length(piece);
		part.new_address += piece.start - crossing->old;
		result = move_out_one(&part);
		if (result < 0)
			return result;
		rest.start = piece.end;
		mapping = rest.start < rest.end ? vmsi_first(space, rest) : NULL;
	}
	return (long)crossing->new_address;
}

static long move_out(struct crossing *crossing)
{
	struct vmsi_mapping *mapping;
	int error = check(crossing);

	if (error)
		return error;
	if (moves_each(crossing))
		return move_out_each(crossing);
	mapping = vmsi_lookup(crossing->space, crossing->old);
	if (!mapping || crossing->old_length > mapping->end - crossing->old)
		return -EFAULT;
	return move_out_one(crossing);
}

static long under_lock(struct crossing *crossing,
		       long (*move)(struct crossing *crossing))
{
	long result = vmsi_enter(crossing->space);

	if (result)
		return result;
	result = move(crossing);
	vmsi_leave(crossing->space);
	return result;
}

long vmsi_border_move_out(struct vms_space *space, uintptr_t old,
			 size_t old_length, size_t new_length, int flags,
			 uintptr_t new_address)
{
	struct crossing crossing = { space, old, old_length, new_length, flags,
				     new_address };

	return under_lock(&crossing, move_out);
}

bool vmsi_border_is_sealed(struct vms_space *space, struct vmsi_range range)
{
	bool sealed;

	if (vmsi_enter(space))
		return false;
	sealed = vmsi_has_sealed(space, range);
	vmsi_leave(space);
	return sealed;
}

/* --- in ------------------------------------------------------------------------------ */

static uint32_t flags_of(const struct vms_mapping_info *info)
{
	static const struct {
		unsigned shown;
		uint32_t ours;
	} table[] = {
		{ VMS_MAPPING_SHARED, VMSI_SHARED },
		{ VMS_MAPPING_NORESERVE, VMSI_NORESERVE },
		{ VMS_MAPPING_LOCKED, VMSI_LOCKED },
		{ VMS_MAPPING_GROWSDOWN, VMSI_GROWSDOWN },
		{ VMS_MAPPING_HUGETLB, VMSI_HUGETLB },
		{ VMS_MAPPING_DONTFORK, VMSI_DONTFORK },
		{ VMS_MAPPING_WIPEONFORK, VMSI_WIPEONFORK },
		{ VMS_MAPPING_DONTDUMP, VMSI_DONTDUMP },
		{ VMS_MAPPING_MERGEABLE, VMSI_MERGEABLE },
		{ VMS_MAPPING_HUGEPAGE, VMSI_HUGEPAGE },
		{ VMS_MAPPING_NOHUGEPAGE, VMSI_NOHUGEPAGE },
	};
	uint32_t flags = 0;

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
		if (info->flags & table[i].shown)
			flags |= (uint32_t)table[i].ours;
	if (info->inode == 0)
		flags |= VMSI_ANONYMOUS;
	if (info->committed == info->length)
		flags |= VMSI_ACCOUNTED;
	/* Memory from elsewhere may well have been used there. */
	return flags | VMSI_TOUCHED;
}

/*
 * What the space is charged for the shared anonymous memory that has arrived.
 * Files in memory are charged to budgets only, and this space is under none.
 * The host does not tell how large the object is, so the mapping's end is taken
 * for its end.
 */
static struct vmsi_hold hold_of(const struct vms_mapping_info *info,
				const struct vmsi_object *object)
{
	const unsigned exempt = VMS_MAPPING_NORESERVE | VMS_MAPPING_HUGETLB;
	struct vmsi_hold hold = { .bytes = 0 };
	size_t bytes = (size_t)info->offset + info->length;

	if (!object || !(info->flags & VMS_MAPPING_SHARED) ||
	    (info->flags & exempt) || !(info->flags & VMS_MAPPING_ANONYMOUS) ||
	    bytes <= object->held)
		return hold;
	return (struct vmsi_hold){ object->id, bytes, object->held };
}

/* Put what has arrived at a range into the map. */
static void publish_arrival(const struct crossing *crossing,
			    const struct vms_mapping_info *info,
			    struct vmsi_object *object,
			    const struct vmsi_hold *hold)
{
	struct vms_space *space = crossing->space;
	struct vmsi_range target = { crossing->new_address,
				     crossing->new_address +
					     crossing->new_length };
	struct vmsi_attributes attributes = {
		.prot = (uint32_t)info->prot,
		.flags = flags_of(info),
		.object = object,
		.page_shift = (uint32_t)__builtin_ctzl(info->page_size),
	};

	if (hold->bytes)
		vmsi_object_note_hold(object, hold, VMSI_HOLD_HERE);
	if (vmsi_has(&attributes, VMSI_ACCOUNTED))
		vmsi_ledger_charge_forced(&space->ledger,
					  vmsi_range_length(target),
					  vmsi_charged_in(space, target));
	vmsi_publish(space, target,
		     object ? info->offset + (crossing->old - info->start) : 0,
		     &attributes);
	space->has_locked |= (info->flags & VMS_MAPPING_LOCKED) != 0;
	space->has_dontfork |= (info->flags & VMS_MAPPING_DONTFORK) != 0;
}

static long move_in_one(const struct crossing *crossing,
			const struct vms_mapping_info *info)
{
	struct vms_space *space = crossing->space;
	struct vmsi_range target = { crossing->new_address,
				     crossing->new_address +
					     crossing->new_length };
	struct vmsi_object *object = NULL;
	struct vmsi_hold hold;
	long result = vmsi_reserve_records(space);

	if (result)
		return result;
	if (info->inode) {
		object = vmsi_object_of_file(space, info->device, info->inode,
					     -1);
		if (!object)
			return vmsi_refuse_records(space);
	}
	if (info->flags & VMS_MAPPING_GROWSDOWN)
		result = vmsi_stacks_begin(space);
	if (result)
		return result;
	vmsi_learn_touched(space, target, VMSI_LEARN_SPLIT);
	hold = hold_of(info, object);
	if (hold.bytes)
		result = vmsi_ledger_hold_forced(&space->ledger, &hold,
						 VMSI_HOLD_HERE, 0);
	if (result) {
		vmsi_object_drop(space, object);
		return vmsi_refuse_records(space);
	}
	result = ask_host(crossing, crossing->flags);
	if (result < 0) {
		if (hold.bytes)
			vmsi_ledger_take_back_hold(&space->ledger, &hold,
						   VMSI_HOLD_HERE);
		if (object)
			vmsi_object_drop(space, object);
		vmsi_mend(space, target);
		return result;
	}
	publish_arrival(crossing, info, object, &hold);
	return result;
}

static long move_in_each(const struct crossing *crossing)
{
	const uintptr_t end = crossing->old + crossing->old_length;
	uintptr_t at = crossing->old;
	struct vms_mapping_info info;

	while (at < end) {
		struct crossing part = *crossing;
		long result = vmsi_host_view(at, &info);

		if (result == 0 && info.start > at && at == crossing->old)
			result = -EFAULT;
		if (result == -EFAULT && at > crossing->old)
			break;
		if (result)
			return result;
		part.old = vmsi_max(at, info.start);
		at = vmsi_min(end, info.start + info.length);
		if (part.old >= end)
			break;
		part.old_length = part.new_length = at - part.old;
		part.new_address += part.old - crossing->old;
		result = move_in_one(&part, &info);
		if (result < 0)
			return result;
	}
	return (long)crossing->new_address;
}

static long move_in(struct crossing *crossing)
{
	struct vms_mapping_info info;
	struct vmsi_range target;
	int error = check(crossing);

	if (error)
		return error;
	target.start = crossing->new_address;
	target.end = target.start + crossing->new_length;
	if (!(crossing->flags & MREMAP_FIXED) ||
	    !vmsi_inside(crossing->space, target))
		return -EINVAL;
	if (vmsi_has_sealed(crossing->space, target))
		return -EPERM;
	error = vmsi_claim(crossing->space, target);
	if (error)
		return error;
	if (moves_each(crossing))
		return move_in_each(crossing);
	error = vmsi_host_view(crossing->old, &info);
	if (error)
		return error;
	if (info.start > crossing->old)
		return -EFAULT;
	return move_in_one(crossing, &info);
}

long vmsi_border_move_in(struct vms_space *space, uintptr_t old,
			size_t old_length, size_t new_length, int flags,
			uintptr_t new_address)
{
	struct crossing crossing = { space, old, old_length, new_length, flags,
				     new_address };

	return under_lock(&crossing, move_in);
}
