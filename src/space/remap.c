/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/mman.h"
#include "host/host.h"
#include "space/entry.h"
#include "space/grow.h"
#include "space/handle_table.h"
#include "space/inside.h"
#include "space/move.h"
#include "space/records.h"
#include "space/refusal.h"
#include "space/remap.h"
#include "space/reservation.h"
#include "space/space.h"
#include "space/unmap.h"
#include "space/walk.h"

/* vms_mremap: which way a call goes. */

/* --- charge -------------------------------------------------------------- */

/*
 * Charge bytes, if the mapping is of a charged kind. refund is what comes back
 * for mappings at the target. *charged is for uncharge.
 */
static int charge(const struct remap_request *request, size_t bytes,
		  size_t refund, size_t *charged)
{
	int error;

	*charged = 0;
	if (bytes == 0 ||
	    !vmsi_has(&request->mapping->attributes, VMSI_ACCOUNTED))
		return 0;
	error = vmsi_ledger_charge(&request->space->ledger, bytes, refund);
	if (error)
		return vmsi_refuse_charge(error);
	*charged = bytes;
	return 0;
}

/* Undo a charge if there was an error. Returns the error. */
static int uncharge(const struct remap_request *request, int error,
		    size_t charged)
{
	if (error)
		vmsi_ledger_take_back(&request->space->ledger, charged);
	return error;
}

/* --- steps --------------------------------------------------------------- */

static int shrink(const struct remap_request *request)
{
	struct vmsi_range tail = { request->old + request->new_length,
				   request->old + request->old_length };

	if (!vmsi_inside(request->space, tail))
		return -EINVAL;
	return vmsi_unmap(request->space, tail);
}

/* Whether an address is inside a huge page, which the host does not split. */
static bool cuts_huge_page(const struct vms_space *space, uintptr_t address)
{
	const struct vmsi_mapping *mapping = vmsi_lookup(space, address);

	return mapping && vmsi_has(&mapping->attributes, VMSI_HUGETLB) &&
		!vmsi_is_aligned(address,
				 (size_t)1 << mapping->attributes.page_shift);
}

/*
 * Move the source, cut to the new length, to a range. If the source is unmapped
 * the growth alone is charged, else all of the target.
 */
static int move_to(const struct remap_request *request,
		   struct vmsi_range target)
{
	struct vms_space *space = request->space;
	size_t length = vmsi_min(request->old_length, request->new_length);
	struct vmsi_move move = {
		.source = { request->old, request->old + length },
		.target = target,
		.keep = vmsi_remap_keeps_source(request) ? VMSI_KEEP_SOURCE :
						VMSI_UNMAP_SOURCE,
	};
	size_t bytes = vmsi_remap_keeps_source(request) ? request->new_length :
					       request->new_length - length;
	size_t charged;
	int error;

	if (vmsi_has_sealed(space, target))
		return -EPERM;
	if (cuts_huge_page(space, target.start) ||
	    cuts_huge_page(space, target.end))
		return -EINVAL;
	error = vmsi_claim(space, target);
	if (error)
		return error;
	/*
	 * The target of a source that is kept adds addresses. (The limits were
	 * checked for growth before.)
	 */
	if (vmsi_remap_keeps_source(request))
		error = vmsi_check_limits(space, bytes,
					  vmsi_remap_counts_as(request->mapping));
	if (!error)
		error = charge(request, bytes, vmsi_charged_in(space, target),
			       &charged);
	if (error) {
		/* As on Linux: the target is unmapped before the charge. */
		(void)vmsi_unmap(space, target);
		return error;
	}
	error = request->old_length == 0 ?
		vmsi_alias(space, request->old, target) :
		vmsi_move(space, &move);
	return uncharge(request, error, charged);
}

/* MREMAP_FIXED with different lengths, or an alias at a fixed place. */
static int move_resized(struct remap_request *request)
{
	struct vmsi_range target = { request->new_address,
				     request->new_address +
					     request->new_length };
	struct vmsi_range tail = { request->old + request->new_length,
				   request->old + request->old_length };
	bool shrinks = request->old_length > request->new_length;
	int error;

	if (shrinks && !vmsi_inside(request->space, tail))
		return -EINVAL;
	if (shrinks && vmsi_has_sealed(request->space, tail)) {
		/* As on Linux: the target is unmapped before the tail. */
		(void)vmsi_unmap(request->space, target);
		return -EPERM;
	}
	error = move_to(request, target);
	if (error || !shrinks)
		return error;
	/*
	 * Unmap the tail. What the host refuses to replace becomes a leftover.
	 * The records that vmsi_move has reserved suffice.
	 */
	vmsi_learn_touched(request->space, tail, VMSI_LEARN_SPLIT);
	vmsi_forget(request->space, tail);
	vmsi_give_back_or_leave(request->space, tail);
	return 0;
}

/*
 * Whether the host would move a mapping in one call with others. It does not,
 * for instance, if a userfaultfd watches it.
 */
static bool may_move_among(const struct remap_request *part,
			   struct vmsi_range piece, struct vmsi_range whole)
{
	if (piece.start == whole.start && piece.end == whole.end)
		return true;
	return vmsi_host_moves_among(part->mapping->end);
}

/*
 * MREMAP_FIXED with equal lengths moves each mapping of a range, and leaves
 * alone what the target has where the source has holes:
 *
 *   source:  |AAAA|    |BBB|       |C|
 *   target:  |AAAA|xxxx|BBB|xxxxxxx|C|     x: stays as it was
 */
static int move_each(struct remap_request *request)
{
	struct vms_space *space = request->space;
	const struct vmsi_range whole = vmsi_remap_source(request);
	struct vmsi_range rest = whole;
	struct vmsi_mapping *mapping = vmsi_lookup(space, whole.start);

	if (!mapping)
		return -EFAULT;
	if (!vmsi_inside(space, whole))
		return -EINVAL;
	while (mapping) {
		struct vmsi_range piece = vmsi_piece(mapping, rest);
		struct remap_request part = *request;
		struct vmsi_range target;
		int error;

		part.old = piece.start;
		part.old_length = part.new_length = vmsi_range_length(piece);
		part.new_address += piece.start - whole.start;
		error = vmsi_remap_find(&part);
		if (!error && !may_move_among(&part, piece, whole))
			error = -EFAULT;
		if (error)
			return error;
		target.start = part.new_address;
		target.end = target.start + part.new_length;
		error = move_to(&part, target);
		if (error)
			return error;
		/* The map has changed, so look up the next mapping anew. */
		rest.start = piece.end;
		mapping = rest.start < rest.end ? vmsi_first(space, rest) : NULL;
	}
	return 0;
}

/* Choose the target of a move without MREMAP_FIXED. */
static int choose_target(const struct remap_request *request,
			 struct vmsi_range *target)
{
	struct vms_space *space = request->space;
	int error;

	target->start = request->new_address;
	target->end = target->start + request->new_length;
	if (vmsi_remap_keeps_source(request) && vmsi_inside(space, *target)) {
		vmsi_gaps_close(space, *target);
		if (vmsi_map_is_free(&space->map, *target))
			return 0;
	}
	error = vmsi_place_move(space, request->mapping, request->old,
				request->new_length, &target->start);
	target->end = target->start + request->new_length;
	return error;
}

/* Claim the hole behind the mapping for its growth. false: it is too short. */
static bool claim_extension(const struct remap_request *request,
			    struct vmsi_range *extension)
{
	return vmsi_remap_fits_behind(request, extension) &&
		vmsi_claim(request->space, *extension) == 0;
}

static int grow_in_place(struct remap_request *request)
{
	size_t extension = request->new_length - request->old_length;
	size_t charged;
	int error = charge(request, extension, 0, &charged);

	if (!error)
		error = vmsi_reserve_records(request->space);
	if (!error)
		error = vmsi_extend(request->space, request->mapping,
				    extension, request->by);
	return uncharge(request, error, charged);
}

static int expand(struct remap_request *request, uintptr_t *result)
{
	struct vmsi_range target, extension;
	int error;

	if (request->by == VMSI_EXTEND_IN_GAP) {
		error = grow_in_place(request);
		if (error != -ENOMEM)
			return error;
		/*
		 * Either a limit refused or another thread has mapped in the
		 * gap. The limits are checked now; the claim finds the other.
		 */
		request->by = VMSI_EXTEND_IN_HOLE;
		error = vmsi_remap_check_growth(request);
		if (error)
			return error;
	}
	if (claim_extension(request, &extension)) {
		error = grow_in_place(request);
		/* If another thread has taken the place, the mapping moves. */
		if (error != -ENOMEM ||
		    vmsi_may_replace(request->space, extension))
			return error;
	}
	if (!(request->flags & MREMAP_MAYMOVE))
		return vmsi_refuse(VMS_REFUSAL_UNMAPPED);
	error = choose_target(request, &target);
	if (!error)
		error = move_to(request, target);
	*result = target.start;
	return error;
}

/* --- dispatch ------------------------------------------------------------ */

static int remap_one(struct remap_request *request, uintptr_t *result)
{
	struct vmsi_range target;
	int error = vmsi_remap_find(request);

	if (error)
		return error;
	if (!(request->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP))) {
		if (request->new_length == request->old_length)
			return vmsi_inside(request->space, vmsi_remap_source(request)) ?
				0 : -EINVAL;
		if (request->new_length < request->old_length)
			return shrink(request);
	}
	error = vmsi_remap_check_mapping(request);
	if (error)
		return error;
	if (vmsi_remap_is_fixed(request))
		return move_resized(request);
	if (!vmsi_remap_keeps_source(request))
		return expand(request, result);
	error = choose_target(request, &target);
	if (error)
		return error;
	*result = target.start;
	return move_to(request, target);
}

long vmsi_remap(struct vms_space *space, uintptr_t old, size_t old_length,
		size_t new_length, int flags, uintptr_t new_address)
{
	struct remap_request request = {
		.space = space,
		.old = old,
		.old_length = old_length,
		.new_length = new_length,
		.flags = flags,
		.new_address = new_address,
	};
	uintptr_t result = flags & MREMAP_FIXED ? new_address : old;
	int error = vmsi_remap_check(&request);

	if (error)
		return error;
	if (vmsi_remap_is_fixed(&request) && request.old_length == request.new_length)
		error = move_each(&request);
	else
		error = remap_one(&request, &result);
	if (error)
		return vmsi_refused_by_host(space, error);
	if (request.new_length > request.old_length)
		vmsi_object_reached(space, result);
	/* vmsi_move has told the handles, so this is for a resize in place. */
	if (result == old && request.old_length)
		vmsi_handles_resized(space, old, request.old_length,
				     request.new_length);
	return (long)result;
}

void *vms_mremap(vms_space *space, void *old_address, size_t old_length,
		 size_t new_length, int flags, void *new_address)
{
	struct vmsi_attempts attempts = { 0 };
	long result;

	do {
		result = vmsi_enter(space);
		if (result)
			return vmsi_address_or_failed(result);
		result = vmsi_remap(space, (uintptr_t)old_address, old_length,
				    new_length, flags, (uintptr_t)new_address);
		vmsi_leave(space);
	} while (vmsi_try_again(space, result, &attempts));
	return vmsi_address_or_failed(result);
}

void *vmsi_remap_aligned(struct vms_space *space, void *old, size_t old_length,
			 size_t new_length, size_t alignment)
{
	const struct vmsi_place_request request = {
		.length = new_length,
		.alignment = alignment,
		.growth = VMSI_MAY_GROW,
	};
	uintptr_t place;
	long result = vmsi_enter(space);

	if (result)
		return vmsi_address_or_failed(result);
	result = vmsi_place(space, &request, &place);
	if (!result)
		result = vmsi_remap(space, (uintptr_t)old, old_length,
				    new_length, MREMAP_MAYMOVE | MREMAP_FIXED,
				    place);
	vmsi_leave(space);
	return vmsi_address_or_failed(result);
}
