/* SPDX-License-Identifier: MIT */
#include "space/state.h"

/*
 * Growth in place: the extension is mapped next to the mapping, with its
 * attributes, so that the host merges the two.
 *
 *   | mapping  |  extension  |   hole
 *            end          end + extension
 */

/* Advice that the host keeps per mapping and that an extension needs too. */
static const struct {
	enum vmsi_mapping_flags flag;
	int advice;
} advice_table[] = {
	{ VMSI_DONTFORK, MADV_DONTFORK },
	{ VMSI_WIPEONFORK, MADV_WIPEONFORK },
	{ VMSI_DONTDUMP, MADV_DONTDUMP },
	{ VMSI_MERGEABLE, MADV_MERGEABLE },
	{ VMSI_HUGEPAGE, MADV_HUGEPAGE },
	{ VMSI_NOHUGEPAGE, MADV_NOHUGEPAGE },
	{ VMSI_SEQUENTIAL, MADV_SEQUENTIAL },
	{ VMSI_RANDOM, MADV_RANDOM },
};

#define ADVICE_COUNT (sizeof(advice_table) / sizeof(*advice_table))

static uint32_t advice_of(const struct vmsi_attributes *attributes)
{
	uint32_t mask = 0;

	for (size_t i = 0; i < ADVICE_COUNT; i++)
		mask |= (uint32_t)advice_table[i].flag;
	return attributes->flags & mask;
}

static int give_advice(struct vmsi_range range, uint32_t advice)
{
	for (size_t i = 0; i < ADVICE_COUNT; i++) {
		long error;

		if (!(advice & (uint32_t)advice_table[i].flag))
			continue;
		error = vmsi_host.madvise(range.start, vmsi_range_length(range),
					  advice_table[i].advice);
		if (error < 0)
			return (int)error;
	}
	return 0;
}

/* What mapping flags make private anonymous memory of these attributes. */
static int host_flags(const struct vmsi_attributes *attributes)
{
	int flags = MAP_PRIVATE;

	if (attributes->flags & (uint32_t)VMSI_DROPPABLE)
		flags = MAP_DROPPABLE;
	flags |= MAP_ANONYMOUS;
	if (attributes->flags & (uint32_t)VMSI_NORESERVE)
		flags |= MAP_NORESERVE;
	if (attributes->flags & (uint32_t)VMSI_GROWSDOWN)
		flags |= MAP_GROWSDOWN;
	return flags;
}

/* Whether the extension can be made of fresh memory. */
static bool is_plain(const struct vmsi_attributes *attributes)
{
	return vmsi_is_private_anonymous(attributes) && !attributes->object &&
		!(attributes->flags & (uint32_t)VMSI_HUGETLB);
}

static int lock_extension(struct vmsi_range range,
			  const struct vmsi_attributes *attributes)
{
	unsigned flags = attributes->flags & (uint32_t)VMSI_LOCK_ON_FAULT ?
		MLOCK_ONFAULT : 0;
	long error;

	if (!(attributes->flags & (uint32_t)VMSI_LOCKED))
		return 0;
	error = vmsi_host.mlock2(range.start, vmsi_range_length(range), flags);
	/* mremap, too, leaves pages out that could not be brought in. */
	if (error < 0 && vmsi_host_is_locked(range.start) == 1)
		return 0;
	/* mlock says ENOMEM where mremap says EAGAIN: past the limit. */
	return error == -ENOMEM ? -EAGAIN : (int)error;
}

int vmsi_map_extension(struct vms_space *space, uintptr_t start, size_t length,
		       const struct vmsi_attributes *attributes)
{
	struct vmsi_range range = { start, start + length };
	long result = vmsi_host.mmap(start, length, (int)attributes->prot,
				     host_flags(attributes) | MAP_FIXED, -1, 0);
	int error;

	if (result < 0) {
		vmsi_settle(space, range);
		return (int)result;
	}
	error = give_advice(range, advice_of(attributes));
	if (!error)
		error = lock_extension(range, attributes);
	if (!error && attributes->name)
		vmsi_host.name_memory(start, length, attributes->name->text);
	if (error) {
		vmsi_forget(space, range);
		vmsi_give_back_or_owe(space, range);
	}
	return error;
}

/* --- room that was prepared for growth ------------------------------------------ */

/* How much of the hole behind a growing mapping is prepared at once. */
#define ROOM_STEPS 64
#define LEAST_ROOM ((size_t)16 << 20)

/*
 * PROT_NONE memory with the mapping's own advice: to grow into it takes one
 * mprotect, and costs the host neither a split nor a new mapping.
 */
static void prepare_room(struct vms_space *space, struct vmsi_range extension,
			 const struct vmsi_attributes *attributes)
{
	struct vmsi_mapping *above = vmsi_map_find(&space->map, extension.end);
	uintptr_t limit = above ? above->start : space->range.end;
	struct vmsi_range room = extension;
	struct vmsi_warm_hole hole = { .advice = advice_of(attributes) };
	size_t wanted;

	if (!vmsi_multiply(vmsi_range_length(extension), ROOM_STEPS, &wanted))
		return;
	wanted = vmsi_max(wanted, LEAST_ROOM);
	room.end += vmsi_min(wanted, limit - extension.end);
	if (vmsi_host.mmap(room.start, vmsi_range_length(room), PROT_NONE,
			   host_flags(attributes) | MAP_FIXED, -1, 0) < 0) {
		vmsi_settle(space, room);
		return;
	}
	vmsi_warm_trim(space, room);
	hole.range = room;
	/* Without it the room is a hole like any other, only not a warm one. */
	if (give_advice(room, hole.advice) == 0)
		vmsi_warm_add(space, hole);
}

static bool can_use_room(const struct vmsi_mapping *mapping)
{
	const struct vmsi_attributes *attributes = &mapping->attributes;
	/* What is not forked would leave a hole in the child. */
	const uint32_t unfit = (uint32_t)VMSI_LOCKED | (uint32_t)VMSI_GROWSDOWN |
		(uint32_t)VMSI_NORESERVE | (uint32_t)VMSI_DROPPABLE |
		(uint32_t)VMSI_DONTFORK;

	return !(attributes->flags & unfit) && !attributes->name;
}

static int extend_plain(struct vms_space *space,
			const struct vmsi_mapping *mapping,
			struct vmsi_range extension)
{
	const struct vmsi_attributes *attributes = &mapping->attributes;
	const uint32_t advice = advice_of(attributes);

	if (can_use_room(mapping)) {
		if ((attributes->flags & (uint32_t)VMSI_GREW) &&
		    !vmsi_warm_continues(space, extension, advice) &&
		    !space->has_stacks)
			prepare_room(space, extension, attributes);
		/* Where the host refuses this, it may still map. */
		if (vmsi_warm_continues(space, extension, advice) &&
		    vmsi_host.mprotect(extension.start,
				       vmsi_range_length(extension),
				       (int)attributes->prot) >= 0)
			return 0;
	}
	return vmsi_map_extension(space, extension.start,
				  vmsi_range_length(extension), attributes);
}

/* --- mappings that only the host can continue -------------------------------------- */

/*
 * A shared mapping: an alias of its last page that is longer by the extension
 * is made outside the space, and the extension is moved in from there.
 *
 *   inside:   | mapping      |last|  hole
 *   outside:                 |last|extension|
 */
int vmsi_alias_extension(struct vms_space *space, uintptr_t end,
			 struct vmsi_range extension)
{
	const size_t page = vmsi_page_size();
	size_t length = vmsi_range_length(extension);
	long alias = vmsi_host.mremap(end - page, 0, page + length,
				      MREMAP_MAYMOVE, 0);
	long result;

	if (alias < 0)
		return (int)alias;
	result = vmsi_host.mremap((uintptr_t)alias + page, length, length,
				  MREMAP_MAYMOVE | MREMAP_FIXED,
				  extension.start);
	if (result < 0) {
		vmsi_host.munmap((uintptr_t)alias, page + length);
		vmsi_settle(space, extension);
		return (int)result;
	}
	vmsi_host.munmap((uintptr_t)alias, page);
	return 0;
}

/*
 * A private mapping of a file: no call but mremap itself can continue it, and
 * that only into addresses that are free. So the reservation is opened for an
 * instant; what another thread maps there meanwhile makes the growth fail, and
 * is left alone.
 */
int vmsi_extend_by_window(struct vms_space *space, uintptr_t end,
			  struct vmsi_range extension)
{
	const size_t page = vmsi_page_size();
	size_t length = vmsi_range_length(extension);
	long result;

	vmsi_warm_trim(space, extension);
	result = vmsi_host.munmap(extension.start, length);
	if (result < 0)
		return (int)result;
	result = vmsi_host.mremap(end - page, page, page + length, 0, 0);
	if (result >= 0)
		return 0;
	vmsi_hold(space, extension);
	return (int)result;
}


int vmsi_extend(struct vms_space *space, struct vmsi_mapping *mapping,
		size_t extension)
{
	struct vmsi_range range = { mapping->end, mapping->end + extension };
	struct vmsi_attributes attributes = mapping->attributes;
	uint64_t offset = attributes.object ?
		mapping->offset + (mapping->end - mapping->start) : 0;
	bool shared = attributes.flags & (uint32_t)VMSI_SHARED;
	int error;

	if (is_plain(&attributes))
		error = extend_plain(space, mapping, range);
	else if (shared)
		error = vmsi_alias_extension(space, mapping->end, range);
	else
		error = vmsi_extend_by_window(space, mapping->end, range);
	if (error)
		return error;
	attributes.flags |= (uint32_t)VMSI_GREW;
	vmsi_publish_free(space, range, offset, &attributes);
	space->grown_in_place++;
	return 0;
}
