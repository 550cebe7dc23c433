/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/mman.h"
#include "host/host.h"
#include "space/grow.h"
#include "space/mend.h"
#include "space/records.h"
#include "space/reservation.h"
#include "space/space.h"

/*
 * Growth in place: the extension is mapped next to the mapping, with its
 * attributes, so that the host merges the two.
 *
 *   | mapping  |  extension  |   hole
 *            end          end + extension
 *
 * If the host does not merge them, they differ in something that the map does
 * not know. Then only the host's mremap can make the mapping longer. A mapping
 * that grows for the second time gets an open gap, in which mremap does so
 * (gap.c).
 */

/* The advice that an extension needs too, so that the host merges it. */
static const struct {
	uint32_t flag;
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
		mask |= advice_table[i].flag;
	return attributes->flags & mask;
}

static int give_advice(struct vmsi_range range, uint32_t advice)
{
	for (size_t i = 0; i < ADVICE_COUNT; i++) {
		long error;

		if (!(advice & advice_table[i].flag))
			continue;
		error = vmsi_host.madvise(range.start, vmsi_range_length(range),
					  advice_table[i].advice);
		if (error < 0)
			return (int)error;
	}
	return 0;
}

/* The flags of mmap that make private anonymous memory of these attributes. */
static int host_flags(const struct vmsi_attributes *attributes)
{
	int flags = MAP_PRIVATE;

	if (vmsi_has(attributes, VMSI_DROPPABLE))
		flags = MAP_DROPPABLE;
	flags |= MAP_ANONYMOUS;
	if (vmsi_has(attributes, VMSI_NORESERVE))
		flags |= MAP_NORESERVE;
	if (vmsi_has(attributes, VMSI_GROWSDOWN))
		flags |= MAP_GROWSDOWN;
	return flags;
}

/* Whether mmap can make the extension, since nothing is behind the mapping. */
static bool is_plain(const struct vmsi_attributes *attributes)
{
	return vmsi_is_private_anonymous(attributes) && !attributes->object &&
		!vmsi_has(attributes, VMSI_HUGETLB);
}

/* vmsi_remap_check_growth has looked at the limit of locked memory before. */
static int lock_extension(struct vmsi_range range,
			  const struct vmsi_attributes *attributes)
{
	unsigned flags = vmsi_has(attributes, VMSI_LOCK_ON_FAULT) ?
		MLOCK_ONFAULT : 0;
	long error;

	if (!vmsi_has(attributes, VMSI_LOCKED))
		return 0;
	error = vmsi_host.mlock2(range.start, vmsi_range_length(range), flags);
	/*
	 * mlock2 also fails if it has locked the memory and could not bring all
	 * pages in. mremap does without such pages, too.
	 */
	if (error < 0 && vmsi_host_is_locked(range.start) == 1)
		return 0;
	/* Past the limit mlock says ENOMEM or EPERM, but mremap EAGAIN. */
	return error == -ENOMEM || error == -EPERM ? -EAGAIN : (int)error;
}

int vmsi_map_extension(struct vms_space *space, uintptr_t start, size_t length,
		       const struct vmsi_attributes *attributes)
{
	struct vmsi_range range = { start, start + length };
	long result = vmsi_host.mmap(start, length, (int)attributes->prot,
				     host_flags(attributes) | MAP_FIXED, -1, 0);
	int error;

	if (result < 0) {
		vmsi_mend(space, range);
		return (int)result;
	}
	error = give_advice(range, advice_of(attributes));
	if (!error)
		error = lock_extension(range, attributes);
	if (!error && attributes->name)
		vmsi_host.name_memory(start, length, attributes->name->text);
	if (error) {
		vmsi_forget(space, range);
		vmsi_give_back_or_leave(space, range);
	}
	return error;
}

/* --- mappings that only the host can make longer ------------------------------------ */

/*
 * For a shared mapping, an alias of its last page is made outside the space, as
 * much longer as the extension, which is then moved in from there.
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
		vmsi_mend(space, extension);
		return (int)result;
	}
	vmsi_host.munmap((uintptr_t)alias, page);
	return 0;
}

/*
 * Only mremap makes a private mapping of a file longer, and only into free
 * addresses. So the addresses are unmapped for an instant. If another thread
 * maps there meanwhile, the growth fails and that memory is left alone.
 */
int vmsi_extend_by_window(struct vms_space *space, uintptr_t end,
			  struct vmsi_range extension)
{
	const size_t page = vmsi_page_size();
	size_t length = vmsi_range_length(extension);
	long result;

	vmsi_gaps_close(space, extension);
	if (!vmsi_may_replace(space, extension))
		return -ENOMEM;
	vmsi_warm_trim(space, extension);
	result = vmsi_host.munmap(extension.start, length);
	if (result < 0)
		return (int)result;
	result = vmsi_host.mremap(end - page, page, page + length, 0, 0);
	if (result >= 0)
		return 0;
	vmsi_cover_free(space, extension);
	return (int)result;
}

/*
 * Whether the host has merged an extension with the mapping before it: it does
 * so if all that it knows of the two is equal.
 */
static bool is_merged(struct vmsi_range extension)
{
	const size_t page = vmsi_page_size();

	return !vmsi_host_is_several((struct vmsi_range){
		extension.start - page, extension.start + page });
}

/*
 * If the host has not merged an extension with its mapping, have its mremap
 * make the mapping longer in place of the extension: in an open gap, or where
 * none can be had in a window, in which any thread can map.
 */
static int continue_mapping(struct vms_space *space,
			    struct vmsi_range extension)
{
	if (is_merged(extension))
		return 0;
	vmsi_gap_open(space, extension.start, vmsi_range_length(extension));
	if (vmsi_gap_stretch(space, extension) &&
	    vmsi_gap_extend(space, extension) == 0)
		return 0;
	return vmsi_extend_by_window(space, extension.start, extension);
}

static int extend_in_hole(struct vms_space *space, uintptr_t end,
			  struct vmsi_range extension,
			  const struct vmsi_attributes *attributes)
{
	int error;

	if (is_plain(attributes))
		error = vmsi_map_extension(space, extension.start,
					   vmsi_range_length(extension),
					   attributes);
	else if (vmsi_has(attributes, VMSI_SHARED))
		error = vmsi_alias_extension(space, end, extension);
	else
		return vmsi_extend_by_window(space, end, extension);
	return error ? error : continue_mapping(space, extension);
}

int vmsi_extend(struct vms_space *space, struct vmsi_mapping *mapping,
		size_t extension, enum vmsi_extend_by by)
{
	struct vmsi_range range = { mapping->end, mapping->end + extension };
	struct vmsi_attributes attributes = mapping->attributes;
	uint64_t offset = attributes.object ?
		mapping->offset + (mapping->end - mapping->start) : 0;
	bool grew = vmsi_has(&attributes, VMSI_GREW);
	int error = by == VMSI_EXTEND_IN_GAP ?
		vmsi_gap_extend(space, range) :
		extend_in_hole(space, mapping->end, range, &attributes);

	if (error)
		return error;
	attributes.flags |= VMSI_GREW;
	vmsi_publish_free(space, range, offset, &attributes);
	space->grown_in_place++;
	if (grew && by == VMSI_EXTEND_IN_HOLE)
		vmsi_gap_open(space, range.end, extension);
	return 0;
}
