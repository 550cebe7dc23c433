/* SPDX-License-Identifier: MIT */
#include "rehome.h"

#include <errno.h>
#include <sys/mman.h>

#include "guard.h"
#include "host/host.h"
#include "space/remap_rules.h"

/*
 * mremap. Four kinds of it need no thought but whom to ask: source and target
 * are both inside, both outside, or one of each. The rest have a source or a
 * target that straddles a border of the space, and are made of those four.
 */

struct remap {
	uintptr_t old_address;
	size_t old_length;  /* whole pages */
	size_t new_length;  /* whole pages */
	int flags;
	uintptr_t new_address;
};

#define FIXED_MOVE (MREMAP_MAYMOVE | MREMAP_FIXED)

/* One that has both ends on one side each. */
static long plain(uintptr_t old_address, size_t old_length, size_t new_length,
		  int flags, uintptr_t new_address)
{
	bool from_inside = vmsi_rehome_place(old_address, old_length) ==
		VMSI_REHOME_INSIDE;
	bool to_inside = flags & MREMAP_FIXED ?
		vmsi_rehome_place(new_address, new_length) ==
		VMSI_REHOME_INSIDE : from_inside;

	if (from_inside && to_inside)
		return vmsi_rehome_inside_mremap(old_address, old_length,
						 new_length, flags,
						 new_address);
	if (from_inside)
		return vmsi_rehome_inside_move_out(old_address, old_length,
						   new_length, flags,
						   new_address);
	if (to_inside)
		return vmsi_rehome_inside_move_in(old_address, old_length,
						  new_length, flags,
						  new_address);
	return vmsi_rehome_kernel_mremap(old_address, old_length, new_length,
					 flags, new_address);
}

/* Bytes from address to the next border of the space, at most length. */
static size_t up_to_border(uintptr_t address, size_t length)
{
	struct vmsi_range space = vmsi_rehome_bounds();

	if (space.start > address)
		return vmsi_min(length, space.start - address);
	if (space.end > address)
		return vmsi_min(length, space.end - address);
	return length;
}

long vmsi_rehome_move(uintptr_t old_address, size_t length, int flags,
		      uintptr_t new_address)
{
	for (size_t done = 0, step; done < length; done += step) {
		step = up_to_border(old_address + done, length - done);
		step = up_to_border(new_address + done, step);

		long answer = plain(old_address + done, step, step, flags,
				    new_address + done);

		/* As for a move of several mappings: what has moved stays. */
		if (vmsi_rehome_failed(answer))
			return answer;
	}
	return (long)new_address;
}

static size_t pieces_of_source(const struct remap *remap,
			       struct vmsi_rehome_piece pieces[3])
{
	struct vmsi_range source = {
		remap->old_address, remap->old_address + remap->old_length,
	};

	return vmsi_rehome_split(source, pieces);
}

/*
 * Whether Linux would see one mapping in the source, which is asked of the
 * host: growing two pages at the border by more than the address space holds
 * is refused for want of room (ENOMEM) where they are one mapping, and with
 * EFAULT where they are not.
 */
static bool is_one_mapping(const struct remap *remap)
{
	size_t page = vmsi_page_size();
	struct vmsi_rehome_piece pieces[3];
	size_t count = pieces_of_source(remap, pieces);

	for (size_t i = 1; i < count; i++)
		if (vmsi_rehome_kernel_mremap(pieces[i].range.start - page,
					      2 * page,
					      vmsi_address_limit() - page, 0,
					      0) == -EFAULT)
			return false;
	return true;
}

/* Whether the first page of the source is mapped, as 0 or -EFAULT. */
static long check_mapped(const struct remap *remap)
{
	long answer = plain(remap->old_address, vmsi_page_size(),
			    vmsi_page_size(), 0, 0);

	return vmsi_rehome_failed(answer) ? answer : 0;
}

static long cut_tail(const struct remap *remap)
{
	struct vmsi_rehome_call cut = {
		.number = SYS_munmap,
		.address = remap->old_address + remap->new_length,
		.length = remap->old_length - remap->new_length,
	};

	return vmsi_rehome_range(&cut);
}

static long reserve(size_t length)
{
	return vmsi_rehome_kernel_mmap(0, length, PROT_NONE, MAP_PRIVATE |
				       MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

/*
 * Bring the source together at a place outside, where its last piece can grow.
 * Returns the place; on failure all is back where it was.
 */
static long gather(const struct remap *remap)
{
	struct vmsi_rehome_piece pieces[3];
	size_t count = pieces_of_source(remap, pieces);
	int flags = FIXED_MOVE | (remap->flags & MREMAP_DONTUNMAP);
	long place = reserve(remap->new_length);
	size_t done = 0;

	if (vmsi_rehome_failed(place))
		return place;
	if (count == 0) /* an alias: the source has no length */
		pieces[count++].range = (struct vmsi_range){
			remap->old_address, remap->old_address,
		};
	for (size_t i = 0; i < count; i++) {
		size_t length = vmsi_range_length(pieces[i].range);
		size_t new_length = i + 1 < count ? length :
			remap->new_length - done;
		long answer = plain(pieces[i].range.start, length, new_length,
				    flags, (uintptr_t)place + done);

		if (vmsi_rehome_failed(answer)) {
			vmsi_rehome_move((uintptr_t)place, done, FIXED_MOVE,
					 remap->old_address);
			vmsi_rehome_kernel_munmap((uintptr_t)place,
						  remap->new_length);
			return answer;
		}
		done += length;
	}
	return place;
}

/* The last piece can grow where it is, if there is room behind it. */
static long grow_last_piece(const struct remap *remap)
{
	struct vmsi_rehome_piece pieces[3];
	size_t count = pieces_of_source(remap, pieces);
	struct vmsi_range last = pieces[count - 1].range;
	size_t length = vmsi_range_length(last);
	long answer = plain(last.start, length, length + remap->new_length -
			    remap->old_length, 0, 0);

	return vmsi_rehome_failed(answer) ? answer : (long)remap->old_address;
}

/* The source straddles and the target is free to choose. */
static long in_place(const struct remap *remap)
{
	long answer = check_mapped(remap);

	if (answer)
		return answer;
	if (remap->flags & MREMAP_DONTUNMAP)
		return is_one_mapping(remap) ? gather(remap) : -EFAULT;
	if (remap->new_length < remap->old_length)
		answer = cut_tail(remap);
	if (remap->new_length <= remap->old_length)
		return answer ? answer : (long)remap->old_address;
	if (!is_one_mapping(remap))
		return -EFAULT;
	answer = grow_last_piece(remap);
	return answer == -ENOMEM && (remap->flags & MREMAP_MAYMOVE) ?
		gather(remap) : answer;
}

/*
 * What is outside of a target is to be unmapped anyhow; nobody else may map
 * anything there.
 */
static long clear_outside(const struct remap *remap)
{
	struct vmsi_rehome_piece pieces[3];
	struct vmsi_range target = {
		remap->new_address, remap->new_address + remap->new_length,
	};
	size_t count = vmsi_rehome_split(target, pieces);

	for (size_t i = 0; i < count; i++) {
		struct vmsi_range range = pieces[i].range;

		if (pieces[i].place == VMSI_REHOME_INSIDE)
			continue;

		long answer = vmsi_rehome_kernel_mmap(
			range.start, vmsi_range_length(range), PROT_NONE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED,
			-1, 0);

		if (vmsi_rehome_failed(answer))
			return answer;
	}
	return 0;
}

/* Grow, or make an alias, towards a target: gather aside, then move there. */
static long grow_to_target(const struct remap *remap)
{
	long answer = clear_outside(remap);

	if (!answer)
		answer = gather(remap);
	if (vmsi_rehome_failed(answer))
		return answer;
	return vmsi_rehome_move((uintptr_t)answer, remap->new_length,
				FIXED_MOVE, remap->new_address);
}

static long to_target(const struct remap *remap)
{
	long answer = check_mapped(remap);
	bool straddles = vmsi_rehome_place(remap->old_address,
					   remap->old_length) ==
		VMSI_REHOME_STRADDLES;

	if (answer)
		return answer;
	if (remap->new_length != remap->old_length && straddles &&
	    !is_one_mapping(remap))
		return -EFAULT;
	if (remap->new_length > remap->old_length)
		return grow_to_target(remap);
	if (remap->new_length < remap->old_length)
		answer = cut_tail(remap);
	return answer ? answer :
		vmsi_rehome_move(remap->old_address, remap->new_length,
				 remap->flags, remap->new_address);
}

static long on_both_sides(uintptr_t old_address, size_t old_length,
			  size_t new_length, int flags, uintptr_t new_address)
{
	struct remap remap = {
		.old_address = old_address,
		.old_length = old_length,
		.new_length = new_length,
		.flags = flags,
		.new_address = new_address,
	};
	long answer = vmsi_remap_rules(old_address, &remap.old_length,
				       &remap.new_length, flags, new_address);

	if (answer)
		return answer;
	if (old_address + remap.old_length > vmsi_address_limit())
		return -EINVAL;
	return flags & MREMAP_FIXED ? to_target(&remap) : in_place(&remap);
}

/*
 * The target of MREMAP_DONTUNMAP without MREMAP_FIXED is a hint. One on the
 * other side of the border is followed where it is free, and otherwise the
 * source's own side finds a place.
 */
static long follow_hint(uintptr_t old_address, size_t length, int flags,
			uintptr_t hint)
{
	size_t page = vmsi_page_size();
	struct vmsi_range target = { hint, hint + vmsi_align_up(length, page) };
	long answer;

	if (!vmsi_is_aligned(hint, page))
		return plain(old_address, length, length, flags, hint);
	if (vmsi_rehome_place(old_address, length) == VMSI_REHOME_INSIDE)
		return vmsi_rehome_inside_move_out(old_address, length, length,
						   flags, hint);
	if (vmsi_rehome_failed(vmsi_rehome_inside_claim(target)))
		return plain(old_address, length, length, flags, 0);
	answer = vmsi_rehome_inside_move_in(old_address, length, length,
					    flags | MREMAP_FIXED, hint);
	if (vmsi_rehome_failed(answer))
		vmsi_rehome_inside_release(target);
	return answer;
}

/*
 * Where the space has no room for what may move, there is still room outside:
 * the host would have found some.
 */
static long whole(uintptr_t old_address, size_t old_length, size_t new_length,
		  int flags, uintptr_t new_address)
{
	size_t page = vmsi_page_size();
	long answer = plain(old_address, old_length, new_length, flags,
			    new_address);
	struct remap remap = {
		.old_address = old_address,
		.old_length = vmsi_align_up(old_length, page),
		.new_length = vmsi_align_up(new_length, page),
		.flags = flags,
	};

	if (answer != -ENOMEM || !(flags & MREMAP_MAYMOVE) ||
	    (flags & MREMAP_FIXED) ||
	    vmsi_rehome_place(old_address, old_length) != VMSI_REHOME_INSIDE ||
	    !vmsi_rehome_inside_is_full())
		return answer;

	/*
	 * The host may hold in parts what is one mapping of the space, and
	 * cannot grow that. So there is no room after all.
	 */
	answer = gather(&remap);
	return answer == -EFAULT ? -ENOMEM : answer;
}

static long route(uintptr_t old_address, size_t old_length, size_t new_length,
		  int flags, uintptr_t new_address)
{
	enum vmsi_rehome_place from =
		vmsi_rehome_place(old_address, old_length);
	bool fixed = flags & MREMAP_FIXED;
	bool hint = (flags & (MREMAP_MAYMOVE | MREMAP_DONTUNMAP)) == flags &&
		(flags & MREMAP_DONTUNMAP) && new_address != 0;
	enum vmsi_rehome_place to = fixed || hint ?
		vmsi_rehome_place(new_address, new_length) : from;

	if (from == VMSI_REHOME_STRADDLES ||
	    (fixed && to == VMSI_REHOME_STRADDLES)) {
		vmsi_rehome_count(VMSI_REHOME_STRADDLING);
		return on_both_sides(old_address, old_length, new_length, flags,
				     new_address);
	}
	vmsi_rehome_count(from == VMSI_REHOME_INSIDE ||
			  to == VMSI_REHOME_INSIDE ?
			  VMSI_REHOME_SERVED : VMSI_REHOME_PASSED);
	if (hint && to != from && to != VMSI_REHOME_STRADDLES &&
	    old_length == new_length)
		return follow_hint(old_address, old_length, flags, new_address);
	return whole(old_address, old_length, new_length, flags, new_address);
}

/* Some of the ways take several steps, which a signal handler must not part. */
long vmsi_rehome_mremap(uintptr_t old_address, size_t old_length,
			size_t new_length, int flags, uintptr_t new_address)
{
	struct vmsi_rehome_guard guard = vmsi_rehome_enter();
	long answer = route(old_address, old_length, new_length, flags,
			    new_address);

	vmsi_rehome_leave(&guard, 0);
	return answer;
}
