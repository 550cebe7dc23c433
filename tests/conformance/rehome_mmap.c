/* SPDX-License-Identifier: MIT */
#include "rehome.h"

#include <errno.h>
#include <sys/mman.h>

#include "guard.h"
#include "host/host.h"

/* mmap: which memory the space should own. */

/* A request for an exact place on both sides of a border of the space. */
struct placing {
	struct vmsi_range target;
	struct vmsi_rehome_piece pieces[3];
	size_t count;
	struct vmsi_range stage; /* where the mapping is made, and its walls */
	uintptr_t source;        /* the new mapping, until it is moved */
};

static bool is_sealed_inside(const struct placing *placing)
{
	for (size_t i = 0; i < placing->count; i++)
		if (placing->pieces[i].place == VMSI_REHOME_INSIDE &&
		    vmsi_rehome_inside_is_sealed(placing->pieces[i].range))
			return true;
	return false;
}

static void release_claims(const struct placing *placing, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct vmsi_range range = placing->pieces[i].range;

		if (placing->pieces[i].place == VMSI_REHOME_INSIDE)
			vmsi_rehome_inside_release(range);
		else
			vmsi_rehome_kernel_munmap(range.start,
						  vmsi_range_length(range));
	}
}

static long reserve(uintptr_t address, size_t length, int flags)
{
	return vmsi_rehome_kernel_mmap(address, length, PROT_NONE, MAP_PRIVATE |
				       MAP_ANONYMOUS | MAP_NORESERVE | flags,
				       -1, 0);
}

/* MAP_FIXED_NOREPLACE: take each piece of the target while it is free. */
static long claim(const struct placing *placing)
{
	for (size_t i = 0; i < placing->count; i++) {
		const struct vmsi_rehome_piece *piece = &placing->pieces[i];
		long answer = piece->place == VMSI_REHOME_INSIDE ?
			vmsi_rehome_inside_claim(piece->range) :
			reserve(piece->range.start,
				vmsi_range_length(piece->range),
				MAP_FIXED_NOREPLACE);

		if (vmsi_rehome_failed(answer)) {
			release_claims(placing, i);
			return answer;
		}
	}
	return 0;
}

/*
 * The pieces can be one mapping again only if nothing else merges with one of
 * them on the way. So the stage has a wall at each end, and what a piece
 * leaves is walled up.
 */
static long move_pieces(const struct placing *placing,
			enum vmsi_rehome_place place)
{
	for (size_t i = 0; i < placing->count; i++) {
		struct vmsi_range range = placing->pieces[i].range;
		size_t length = vmsi_range_length(range);
		uintptr_t from = placing->source +
			(range.start - placing->target.start);

		if (placing->pieces[i].place != place)
			continue;

		long answer = vmsi_rehome_move(from, length, MREMAP_MAYMOVE |
					       MREMAP_FIXED, range.start);

		if (vmsi_rehome_failed(answer))
			return answer;
		reserve(from, length, MAP_FIXED_NOREPLACE);
	}
	return 0;
}

static bool overlaps_target(const struct placing *placing, long start,
			    size_t length)
{
	return vmsi_range_overlaps((struct vmsi_range){ (uintptr_t)start,
							(uintptr_t)start + length },
				   placing->target);
}

/*
 * Room for a stage of at least the target's length with nothing of the target
 * in it, which the kernel may choose where that is free. Of three lengths one
 * is on either side of it:
 *
 *    |      low      |   [ target ]  |      high     |
 */
static long reserve_stage(const struct placing *placing, size_t length)
{
	long room = reserve(0, length, 0);
	uintptr_t start, stage;

	if (vmsi_rehome_failed(room) || !overlaps_target(placing, room, length))
		return room;
	vmsi_rehome_kernel_munmap((uintptr_t)room, length);
	room = reserve(0, 3 * length, 0);
	if (vmsi_rehome_failed(room))
		return room;
	start = (uintptr_t)room;
	stage = placing->target.start >= start + length ? start :
							  start + 2 * length;
	vmsi_rehome_kernel_munmap(stage == start ? start + length : start,
				  2 * length);
	return (long)stage;
}

/*
 * Huge pages never merge with others, and have an alignment to keep. Of two
 * places that are free at once only one can reach into the target.
 */
static long make_on_stage(struct placing *placing, int prot, int flags, int fd,
			  uint64_t offset)
{
	size_t page = vmsi_page_size();
	size_t length = vmsi_range_length(placing->target);
	long answer = 0;

	flags &= ~(MAP_FIXED | MAP_FIXED_NOREPLACE);
	if (!(flags & MAP_HUGETLB)) {
		answer = reserve_stage(placing, length + 2 * page);
		if (vmsi_rehome_failed(answer))
			return answer;
		placing->stage.start = (uintptr_t)answer;
		placing->stage.end = placing->stage.start + length + 2 * page;
		placing->source = placing->stage.start + page;
		flags |= MAP_FIXED;
	}
	answer = vmsi_rehome_kernel_mmap(placing->source, length, prot, flags,
					 fd, offset);
	if (vmsi_rehome_failed(answer) || (flags & MAP_FIXED))
		return answer;
	if (overlaps_target(placing, answer, length)) {
		long other = vmsi_rehome_kernel_mmap(0, length, prot, flags, fd,
						     offset);

		vmsi_rehome_kernel_munmap((uintptr_t)answer, length);
		if (vmsi_rehome_failed(other))
			return other;
		answer = other;
	}
	placing->source = placing->stage.start = (uintptr_t)answer;
	placing->stage.end = placing->source + length;
	return answer;
}

static void clear_stage(const struct placing *placing)
{
	size_t length = vmsi_range_length(placing->stage);

	if (length)
		vmsi_rehome_kernel_munmap(placing->stage.start, length);
}

/*
 * The mapping is made whole on a stage of its own, where every check of the
 * request is made and nothing is replaced yet, and is then moved piece by
 * piece to where it belongs:
 *
 *    stage     |[  a  |    b    ]|
 *                  |       `---------- into the space
 *                  v            v
 *    --------[  a  ][====b====)========...
 *
 * So it is one object, also where it is shared and anonymous. Only seals can
 * refuse the moves; those inside are looked for first, and those outside make
 * the first move fail.
 */
static long map_whole_then_move(struct placing *placing, int prot, int flags,
				int fd, uint64_t offset)
{
	long answer = make_on_stage(placing, prot, flags, fd, offset);

	/* Linux meets what is sealed before it looks for memory. */
	if ((!vmsi_rehome_failed(answer) || answer == -ENOMEM) &&
	    is_sealed_inside(placing))
		answer = -EPERM;
	if (!vmsi_rehome_failed(answer))
		answer = move_pieces(placing, VMSI_REHOME_OUTSIDE);
	if (!answer)
		answer = move_pieces(placing, VMSI_REHOME_INSIDE);
	clear_stage(placing);
	return answer ? answer : (long)placing->target.start;
}

static long map_on_both_sides(uintptr_t address, size_t length, int prot,
			      int flags, int fd, uint64_t offset)
{
	bool keep = flags & MAP_FIXED_NOREPLACE;
	struct placing placing = {
		.target = {
			.start = address,
			.end = vmsi_align_up(address + length,
					     vmsi_page_size()),
		},
	};

	if (!vmsi_is_aligned(address, vmsi_page_size()))
		return -EINVAL;
	if (placing.target.end > vmsi_address_limit())
		return -ENOMEM;
	placing.count = vmsi_rehome_split(placing.target, placing.pieces);

	long answer = keep ? claim(&placing) : 0;

	if (answer)
		return answer;
	answer = map_whole_then_move(&placing, prot, flags, fd, offset);
	if (keep && vmsi_rehome_failed(answer))
		release_claims(&placing, placing.count);
	return answer;
}

/* No address, as Linux tells it: hints are rounded down to a page. */
static bool has_no_address(uintptr_t address)
{
	return vmsi_align_down(address, vmsi_page_size()) == 0;
}

static enum vmsi_rehome_place place_of_request(uintptr_t address, size_t length,
					       int flags)
{
	if (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE))
		return vmsi_rehome_place(address, length);
	if (!vmsi_rehome_space())
		return VMSI_REHOME_OUTSIDE;
#ifdef MAP_32BIT
	/* The space lies higher than that. */
	if (flags & MAP_32BIT)
		return VMSI_REHOME_OUTSIDE;
#endif
	/* A hint that does not fit is no more than a hint. */
	return has_no_address(address) ? VMSI_REHOME_INSIDE :
					 vmsi_rehome_place(address, 1);
}

long vmsi_rehome_mmap(uintptr_t address, size_t length, int prot, int flags,
		      int fd, uint64_t offset)
{
	struct vmsi_rehome_guard guard;
	long answer;

	switch (place_of_request(address, length, flags)) {
	case VMSI_REHOME_INSIDE:
		return vmsi_rehome_inside_mmap(address, length, prot, flags,
					       fd, offset);
	case VMSI_REHOME_STRADDLES:
		vmsi_rehome_count(VMSI_REHOME_STRADDLING);
		guard = vmsi_rehome_enter();
		answer = map_on_both_sides(address, length, prot, flags, fd,
					   offset);
		vmsi_rehome_leave(&guard, 0);
		return answer;
	case VMSI_REHOME_OUTSIDE:
	default:
		vmsi_rehome_count(VMSI_REHOME_PASSED);
		return vmsi_rehome_kernel_mmap(address, length, prot, flags,
					       fd, offset);
	}
}
