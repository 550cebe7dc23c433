/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/mman.h"
#include "host/host.h"
#include "space/entry.h"
#include "space/inside.h"
#include "space/records.h"
#include "space/refusal.h"
#include "space/space.h"
#include "space/walk.h"

/* vms_madvise. */

/* Advice that the map keeps: which flags it sets and clears. */
static const struct {
	int advice;
	uint32_t set, clear;
} effects[] = {
	{ MADV_NORMAL, 0, VMSI_SEQUENTIAL | VMSI_RANDOM },
	{ MADV_SEQUENTIAL, VMSI_SEQUENTIAL, VMSI_RANDOM },
	{ MADV_RANDOM, VMSI_RANDOM, VMSI_SEQUENTIAL },
	{ MADV_DONTFORK, VMSI_DONTFORK, 0 },
	{ MADV_DOFORK, 0, VMSI_DONTFORK },
	{ MADV_WIPEONFORK, VMSI_WIPEONFORK, 0 },
	{ MADV_KEEPONFORK, 0, VMSI_WIPEONFORK },
	{ MADV_DONTDUMP, VMSI_DONTDUMP, 0 },
	{ MADV_DODUMP, 0, VMSI_DONTDUMP },
	{ MADV_MERGEABLE, VMSI_MERGEABLE, 0 },
	{ MADV_UNMERGEABLE, 0, VMSI_MERGEABLE },
	{ MADV_HUGEPAGE, VMSI_HUGEPAGE, VMSI_NOHUGEPAGE },
	{ MADV_NOHUGEPAGE, VMSI_NOHUGEPAGE, VMSI_HUGEPAGE },
};

struct advice_request {
	struct vms_space *space;
	int advice;
	uint32_t set, clear;
	bool sets_attributes;
};

static void find_effect(struct advice_request *request)
{
	for (size_t i = 0; i < sizeof(effects) / sizeof(*effects); i++) {
		if (effects[i].advice != request->advice)
			continue;
		request->set = effects[i].set;
		request->clear = effects[i].clear;
		request->sets_attributes = true;
	}
}

/* Such advice drops pages, and pagemap forgets that they were touched. */
static bool hides_touch(int advice)
{
	return advice == MADV_DONTNEED || advice == MADV_FREE ||
		advice == MADV_DONTNEED_LOCKED || advice == MADV_GUARD_REMOVE;
}

static bool stops_at_hole(int advice)
{
	return advice == MADV_POPULATE_READ || advice == MADV_POPULATE_WRITE;
}

static long host_advise(struct vmsi_range range, void *context)
{
	const struct advice_request *request = context;

	return vmsi_host.madvise(range.start, vmsi_range_length(range),
				 request->advice);
}

static void change_flags(struct vmsi_mapping *piece, void *context)
{
	const struct advice_request *request = context;
	const uint32_t unmergeable =
		VMSI_SHARED | VMSI_HUGETLB | VMSI_DROPPABLE;

	/* Linux accepts this for what KSM does not take, and ignores it. */
	if (request->advice == MADV_MERGEABLE &&
	    (piece->attributes.flags & unmergeable))
		return;
	piece->attributes.flags &= ~request->clear;
	piece->attributes.flags |= request->set;
}

/*
 * A guard gives the mapping an anon_vma, by which Linux keeps the charge of all
 * of it, as of memory that was touched.
 */
static void note_touched(struct vms_space *space, struct vmsi_range run)
{
	vmsi_for_each(space, mapping, run)
		mapping->attributes.flags |= VMSI_TOUCHED;
}

static int advise_run(struct advice_request *request, struct vmsi_range run)
{
	struct vmsi_range_call call = { host_advise, request };
	struct vmsi_range done = { run.start, 0 };
	bool guards = request->advice == MADV_GUARD_INSTALL;
	int error;

	if (hides_touch(request->advice))
		vmsi_learn_touched(request->space, run, VMSI_LEARN_ALL);
	if (!request->sets_attributes && !guards)
		return (int)host_advise(run, request);
	error = vmsi_reserve_records(request->space);
	if (error)
		return error;
	vmsi_learn_touched(request->space, run, VMSI_LEARN_SPLIT);
	error = vmsi_call_run(request->space, run, call, &done.end);
	if (done.end == done.start)
		return error;
	if (guards)
		note_touched(request->space, done);
	else
		vmsi_change(request->space, done, change_flags, request);
	return error;
}

static int advise(struct advice_request *request, struct vmsi_range range)
{
	struct vms_space *space = request->space;
	uintptr_t at = range.start;
	bool hole = false;

	while (at < range.end) {
		struct vmsi_range run;
		bool found = vmsi_next_run(space, at, range.end, &run);
		int error;

		hole = hole || !found || run.start > at;
		if (!found || (hole && stops_at_hole(request->advice)))
			break;
		error = advise_run(request, run);
		if (error)
			return vmsi_refused_by_host(space, error);
		at = run.end;
	}
	return hole ? vmsi_refuse(VMS_REFUSAL_UNMAPPED) : 0;
}

/*
 * Linux checks the advice, the address and the length in this order. A call for
 * a length of 0 makes the host say whether it knows the advice.
 */
static int check(const struct vms_space *space, uintptr_t start, size_t length,
		 int advice, struct vmsi_range *range)
{
	long known = vmsi_host.madvise(space->range.start, 0, advice);

	if (known < 0)
		return (int)known;
	if (!vmsi_is_aligned(start, vmsi_page_size()) ||
	    !vmsi_page_range(start, length, range))
		return -EINVAL;
	return 0;
}

int vms_madvise(vms_space *space, void *address, size_t length, int advice)
{
	struct advice_request request = { .space = space, .advice = advice };
	struct vmsi_range range;
	int error = vmsi_enter(space);

	if (error)
		return vmsi_status(error);
	error = check(space, (uintptr_t)address, length, advice, &range);
	if (!error && range.start < range.end) {
		find_effect(&request);
		error = advise(&request, range);
		if (request.set & VMSI_DONTFORK)
			space->has_dontfork = true;
	}
	vmsi_leave(space);
	return vmsi_status(error);
}
