/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/mman.h"
#include "host/host.h"
#include "space/entry.h"
#include "space/inside.h"
#include "space/memlock.h"
#include "space/records.h"
#include "space/refusal.h"
#include "space/reservation.h"
#include "space/space.h"
#include "space/walk.h"

/* vms_mlock, vms_mlock2, vms_munlock. */

struct lock_request {
	enum { LOCK, UNLOCK } kind;
	unsigned flags;
};

static long host_lock(struct vmsi_range range,
		      const struct lock_request *request)
{
	size_t length = vmsi_range_length(range);

	return request->kind == LOCK ?
		vmsi_host.mlock2(range.start, length, request->flags) :
		vmsi_host.munlock(range.start, length);
}

/* Linux locks neither huge pages nor MAP_DROPPABLE memory. */
static bool takes_no_lock(const struct vmsi_mapping *mapping)
{
	return mapping->attributes.flags &
		(VMSI_HUGETLB | VMSI_DROPPABLE);
}

static void change_lock(struct vmsi_mapping *piece, void *context)
{
	const struct lock_request *request = context;
	uint32_t *flags = &piece->attributes.flags;

	if (takes_no_lock(piece))
		return;
	*flags &= ~(VMSI_LOCKED | VMSI_LOCK_ON_FAULT);
	if (request->kind == LOCK)
		*flags |= VMSI_LOCKED;
	if (request->flags & MLOCK_ONFAULT)
		*flags |= VMSI_LOCK_ON_FAULT;
}

bool vmsi_learn_locked(struct vms_space *space, uintptr_t address)
{
	struct lock_request unlock = { UNLOCK, 0 };
	struct vmsi_mapping *mapping = vmsi_lookup(space, address);
	bool noted = vmsi_has(&mapping->attributes, VMSI_LOCKED);
	int locked = vmsi_host_is_locked(address);

	if (locked < 0)
		return noted;
	if (noted && !locked && !vmsi_reserve_records(space))
		vmsi_change(space, vmsi_mapping_range(mapping), change_lock,
			    &unlock);
	return locked;
}

/*
 * mlock2 also fails after it has locked, if it could not bring pages in. So ask
 * the host about each mapping.
 */
static void publish_locked(struct vms_space *space, struct vmsi_range run,
			   struct lock_request *request)
{
	struct vmsi_mapping *mapping;

	while (run.start < run.end && (mapping = vmsi_first(space, run))) {
		struct vmsi_range piece = vmsi_piece(mapping, run);
		int locked = vmsi_host_is_locked(piece.start);

		if (locked == (request->kind == LOCK ? 1 : 0))
			vmsi_change(space, piece, change_lock, request);
		run.start = piece.end;
	}
}

/* Lock the run without bringing pages in. */
static int lock_on_fault(struct vms_space *space, struct vmsi_range run)
{
	const struct lock_request on_fault = { LOCK, MLOCK_ONFAULT };
	long error = 0;

	vmsi_for_each(space, mapping, run) {
		if (!error && !takes_no_lock(mapping))
			error = host_lock(vmsi_piece(mapping, run), &on_fault);
	}
	return error < 0 ? (int)error : 0;
}

/*
 * On Linux, mlock of a range with a hole locks what comes before the hole,
 * brings no page in, and fails. So the run is first locked on fault, which can
 * be refused. Then a page of the hole is unmapped for an instant and the host's
 * mlock2 meets it. What another thread maps there meanwhile is left alone.
 */
static int lock_before_hole(struct vms_space *space, struct vmsi_range run,
			    const struct lock_request *request)
{
	const size_t page_size = vmsi_page_size();
	struct vmsi_range hole = { run.end, run.end + page_size };
	int error = lock_on_fault(space, run);

	if (error)
		return error;
	if (!vmsi_inside(space, hole) ||
	    !vmsi_map_is_free(&space->map, hole) || vmsi_claim(space, hole) ||
	    vmsi_host.munmap(hole.start, page_size) < 0)
		return 0;
	vmsi_warm_trim(space, hole);
	host_lock((struct vmsi_range){ run.start, hole.end }, request);
	vmsi_cover_free(space, hole);
	return 0;
}

/* Lock or unlock the part of a range before its first hole. */
static int change_run(struct vms_space *space, struct vmsi_range range,
		      struct lock_request *request)
{
	struct vmsi_range run = {
		range.start, vmsi_run_end(space, range.start, range.end)
	};
	int error = vmsi_reserve_records(space);

	if (error)
		return error;
	if (run.end > run.start) {
		vmsi_learn_touched(space, run, VMSI_LEARN_SPLIT);
		error = run.end < range.end && request->kind == LOCK ?
			lock_before_hole(space, run, request) :
			(int)host_lock(run, request);
		if (error)
			publish_locked(space, run, request);
		else
			vmsi_change(space, run, change_lock, request);
		if (request->kind == LOCK)
			space->has_locked = true;
	}
	if (!error && run.end < range.end)
		return vmsi_refuse(VMS_REFUSAL_UNMAPPED);
	return vmsi_refused_by_host(space, error);
}

/* Round to pages as Linux does. */
static bool lock_range(uintptr_t address, size_t length,
		       struct vmsi_range *range)
{
	const size_t page_size = vmsi_page_size();
	uintptr_t start = vmsi_align_down(address, page_size);

	/* As in Linux, a length that wraps when rounded up becomes 0. */
	length = vmsi_align_up(length + (address - start), page_size);
	range->start = start;
	return vmsi_add(start, length, &range->end);
}

/* Linux looks at RLIMIT_MEMLOCK before it looks whether the range wraps. */
static int refuse_wrapping(size_t length, const struct lock_request *request)
{
	return request->kind == LOCK && !vmsi_host_may_lock(length) ?
		-ENOMEM : -EINVAL;
}

static int change_lock_of(vms_space *space, const void *address, size_t length,
			  struct lock_request request)
{
	struct vmsi_range range;
	long known;
	int error = vmsi_enter(space);

	if (error)
		return vmsi_status(error);
	/* With a length of 0 the host looks at flags and privileges only. */
	known = host_lock((struct vmsi_range){ space->range.start,
					       space->range.start }, &request);
	if (known < 0)
		error = (int)known;
	else if (!lock_range((uintptr_t)address, length, &range))
		error = refuse_wrapping(length, &request);
	else if (range.start < range.end)
		error = change_run(space, range, &request);
	vmsi_leave(space);
	return vmsi_status(error);
}

int vms_mlock(vms_space *space, const void *address, size_t length)
{
	return vms_mlock2(space, address, length, 0);
}

int vms_mlock2(vms_space *space, const void *address, size_t length,
	       unsigned flags)
{
	struct lock_request request = { LOCK, flags };

	return change_lock_of(space, address, length, request);
}

int vms_munlock(vms_space *space, const void *address, size_t length)
{
	struct lock_request request = { UNLOCK, 0 };

	return change_lock_of(space, address, length, request);
}
