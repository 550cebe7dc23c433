/* SPDX-License-Identifier: MIT */
#include <vmspace/process.h>

#include "base/mman.h"
#include "host/host.h"
#include "space/hostview.h"
#include "space/mend.h"
#include "space/records.h"
#include "space/space.h"

/*
 * Open gaps (drawn in gap.h). Only the host's mremap makes a mapping longer
 * with all that the host knows of it, such as a userfaultfd, a memory policy or
 * a protection key that the program gave it past the library. mremap grows into
 * free addresses only, so the reservation leaves the gap out.
 *
 * The sentinel is PROT_NONE memory with MAP_GROWSDOWN. When the host looks for
 * free addresses, it leaves a guard gap below such memory alone. The open gap
 * is no longer than that, so no mmap without MAP_FIXED lands in it. A gap that
 * is used up takes more from the sentinel.
 *
 * The host does not count a gap against RLIMIT_AS, and to close it takes
 * addresses that the limit could refuse. So as many are mapped elsewhere (the
 * ballast), and unmapped just before the gap is closed.
 */

/* The most bytes of a gap and its sentinel together. */
#define FIRST_SENTINEL ((size_t)16 << 20)

static struct vmsi_gap *gap_behind(struct vms_space *space, uintptr_t end)
{
	for (unsigned i = 0; i < space->gaps.count; i++)
		if (space->gaps.all[i].open.start == end)
			return &space->gaps.all[i];
	return NULL;
}

static void forget_gap(struct vms_space *space, struct vmsi_gap *gap)
{
	struct vmsi_gap *last = &space->gaps.all[--space->gaps.count];

	while (gap < last) {
		gap[0] = gap[1];
		gap++;
	}
}

/*
 * A touch in the gap gets SIGSEGV, but before that the host grows the sentinel
 * down to it. If that has happened, the gap ends where the sentinel begins.
 */
static void shorten_to_sentinel(struct vmsi_gap *gap)
{
	struct vmsi_range last = { gap->open.end - vmsi_page_size(),
				   gap->open.end };
	struct vms_mapping_info sentinel;

	if (gap->open.start == gap->open.end ||
	    vmsi_host_is_mapped(last) != 1 ||
	    vmsi_host_view(gap->open.end, &sentinel) ||
	    sentinel.prot != PROT_NONE ||
	    !(sentinel.flags & VMS_MAPPING_GROWSDOWN))
		return;
	gap->open.end = vmsi_max(gap->open.start,
				 vmsi_min(gap->open.end, sentinel.start));
}

static void close_gap(struct vms_space *space, struct vmsi_gap *at)
{
	struct vmsi_gap gap = *at;

	forget_gap(space, at);
	shorten_to_sentinel(&gap);
	if (gap.opened)
		vmsi_host.munmap(gap.ballast, gap.opened);
	vmsi_cover_free(space, gap.open);
	vmsi_cover_or_leave(space, (struct vmsi_range){ gap.open.end,
						       gap.sentinel_end });
	/*
	 * Foreign memory in the gap got records, out of those that the running
	 * operation had reserved.
	 */
	if (space->uncovered.count)
		(void)vmsi_reserve_records(space);
	/*
	 * The host counted what has grown into the gap as addresses. From now
	 * on it counts the reservation in its place, and limits.c must count
	 * the growth: with less in limits.mapped, the next call finds it to be
	 * new.
	 */
	space->limits.mapped -= gap.opened - vmsi_range_length(gap.open);
}

void vmsi_gaps_close(struct vms_space *space, struct vmsi_range range)
{
	for (unsigned i = space->gaps.count; i-- > 0;) {
		struct vmsi_range all = { space->gaps.all[i].open.start,
					  space->gaps.all[i].sentinel_end };

		if (vmsi_range_overlaps(all, range))
			close_gap(space, &space->gaps.all[i]);
	}
}

void vmsi_gaps_forbid(struct vms_space *space)
{
	vmsi_gaps_close(space, space->range);
	space->gaps.forbidden = true;
}

/*
 * Find out whether the host still has nothing in an open gap, by covering it
 * and opening it again. If the host refuses to open it, it becomes a gap of no
 * length.
 */
static bool try_gap(struct vms_space *space, struct vmsi_gap *gap)
{
	const size_t length = vmsi_range_length(gap->open);

	if (length == 0)
		return true;
	if (vmsi_host.mmap(gap->open.start, length, PROT_NONE,
			   VMSI_RESERVATION | MAP_FIXED_NOREPLACE, -1, 0) < 0)
		return false;
	if (vmsi_host.munmap(gap->open.start, length) < 0) {
		vmsi_host.munmap(gap->ballast, gap->opened);
		space->limits.mapped -= gap->opened - length;
		gap->opened = 0;
		gap->open.end = gap->open.start;
	}
	return true;
}

void vmsi_gaps_check(struct vms_space *space)
{
	for (unsigned i = space->gaps.count; i-- > 0;)
		if (!try_gap(space, &space->gaps.all[i]))
			close_gap(space, &space->gaps.all[i]);
}

static bool add_ballast(struct vmsi_gap *gap, size_t more)
{
	long result = gap->opened == 0 ?
		vmsi_host.mmap(0, more, PROT_NONE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
			       0) :
		vmsi_host.mremap(gap->ballast, gap->opened, gap->opened + more,
				 MREMAP_MAYMOVE, 0);

	if (result < 0)
		return false;
	gap->ballast = (uintptr_t)result;
	gap->opened += more;
	return true;
}

/* Open the lower end of the sentinel, so that the gap is a guard gap long. */
static bool open_further(struct vmsi_gap *gap)
{
	struct vmsi_range more = { gap->open.end, 0 };
	size_t length;

	more.end = vmsi_min(gap->open.start + vmsi_guard_gap(),
			    gap->sentinel_end - vmsi_page_size());
	if (more.end <= more.start || !vmsi_limits_unset())
		return false;
	length = vmsi_range_length(more);
	if (!add_ballast(gap, length))
		return false;
	if (vmsi_host.munmap(more.start, length) < 0) {
		gap->opened -= length;
		vmsi_host.munmap(gap->ballast + gap->opened, length);
		return false;
	}
	gap->open.end = more.end;
	return true;
}

bool vmsi_gap_stretch(struct vms_space *space, struct vmsi_range extension)
{
	struct vmsi_gap *gap = gap_behind(space, extension.start);

	/*
	 * Under RLIMIT_AS the host must not decide about growth, since it does
	 * not count what is mapped over the reservation.
	 */
	if (!gap || vmsi_limit_was_seen())
		return false;
	if (gap->open.end >= extension.end)
		return true;
	return vmsi_range_length(extension) <= vmsi_guard_gap() &&
		open_further(gap) && gap->open.end >= extension.end;
}

int vmsi_gap_extend(struct vms_space *space, struct vmsi_range extension)
{
	const size_t page = vmsi_page_size();
	struct vmsi_gap *gap = gap_behind(space, extension.start);
	size_t length = vmsi_range_length(extension);
	long result = vmsi_host.mremap(extension.start - page, page,
				       page + length, 0, 0);

	if (result < 0)
		return (int)result;
	gap->open.start = extension.end;
	/* The host counts the growth itself; limits.c must not do so again. */
	space->limits.mapped += length;
	return 0;
}

/* How many bytes a gap at an address and its sentinel may have in its hole. */
static size_t length_at(const struct vms_space *space, uintptr_t end)
{
	struct vmsi_mapping *above = vmsi_map_find(&space->map, end);
	uintptr_t limit = above ? above->start : space->range.end;

	return limit <= end ? 0 : vmsi_min(limit - end, FIRST_SENTINEL);
}

void vmsi_gap_open(struct vms_space *space, uintptr_t end, size_t step)
{
	size_t length = length_at(space, end);
	struct vmsi_gap gap = { .open = { end, end },
				.sentinel_end = end + length };
	struct vmsi_range all = { end, gap.sentinel_end };

	if (space->gaps.forbidden || step > vmsi_guard_gap() ||
	    length < step + vmsi_page_size() || !vmsi_limits_unset())
		return;
	vmsi_gaps_close(space, all);
	if (!vmsi_may_replace(space, all))
		return;
	if (space->gaps.count == VMSI_GAPS)
		close_gap(space, &space->gaps.all[0]);
	vmsi_warm_trim(space, all);
	if (vmsi_host.mmap(end, length, PROT_NONE,
			   VMSI_RESERVATION | MAP_GROWSDOWN | MAP_FIXED, -1,
			   0) < 0) {
		vmsi_mend(space, all);
		return;
	}
	(void)open_further(&gap);
	space->gaps.all[space->gaps.count++] = gap;
	if (gap.opened == 0)
		close_gap(space, &space->gaps.all[space->gaps.count - 1]);
}
