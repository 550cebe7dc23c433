/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include <vmspace/stat.h>

#include "base/versioned.h"
#include "host/host.h"
#include "space/entry.h"
#include "space/inside.h"
#include "space/space.h"
#include "space/walk.h"

/* The figures that objects have in common, of which a space knows most. */

int vmsi_stat_check(const void *object, unsigned flags, const struct vms_stat *stat)
{
	if (!object || !stat || flags & ~VMS_STAT_PAGES)
		return -EINVAL;
	return vmsi_check_struct_size(stat->struct_size, VMSI_FIRST_STAT);
}

int vmsi_stat_give(int error, const struct vms_stat *known, struct vms_stat *stat)
{
	if (!error)
		vmsi_give_figures(stat, known, sizeof(*known));
	return vmsi_status(error);
}

/* --- pages ---------------------------------------------------------------- */

/* The lock is not held while pages are looked at: they may be many. */
struct runs {
	struct vms_space *space;
	struct vmsi_range rest;
};

static bool next_run(void *context, struct vmsi_range *run)
{
	struct runs *runs = context;
	bool is_found;

	if (vmsi_enter(runs->space))
		return false;
	is_found = vmsi_next_run(runs->space, runs->rest.start, runs->rest.end, run);
	vmsi_leave(runs->space);
	if (is_found)
		runs->rest.start = run->end;
	return is_found;
}

int vmsi_stat_places(const struct vmsi_page_places *places, unsigned flags,
		     struct vms_stat *known)
{
	struct vmsi_page_kinds kinds = { 0 };
	int error = 0;

	if (!(flags & VMS_STAT_PAGES))
		return 0;
	if (places->all.start < places->all.end)
		error = vmsi_host_page_kinds(places, &kinds);
	if (error)
		return error;
	known->known |= VMS_STAT_RESIDENT;
	known->resident_anonymous = kinds.anonymous;
	known->resident_file = kinds.file;
	known->swapped = kinds.swapped;
	return 0;
}

int vmsi_stat_pages(struct vms_space *space, struct vmsi_range range, unsigned flags,
		    struct vms_stat *known)
{
	struct runs runs = { .space = space, .rest = range };

	return vmsi_stat_places(&(struct vmsi_page_places){
		.all = range, .next = next_run, .context = &runs }, flags, known);
}

/* --- a space -------------------------------------------------------------- */

int vmsi_stat_of_space(struct vms_space *space, unsigned flags, struct vms_stat *known)
{
	struct vms_space_stats stats = { .struct_size = sizeof(stats) };

	if (vms_space_get_stats(space, &stats))
		return -errno;
	*known = (struct vms_stat){
		.known = VMS_STAT_RESERVED | VMS_STAT_COMMITTED |
			VMS_STAT_COMMITTED_PEAK | VMS_STAT_LIMIT |
			VMS_STAT_MAPPINGS | VMS_STAT_REFUSALS,
		.reserved = stats.reserved,
		.committed = stats.committed,
		.committed_peak = stats.committed_peak,
		.limit = stats.limit,
		.mappings = stats.mappings,
		.refusals = stats.refusals,
	};
	return vmsi_stat_pages(space, space->range, flags, known);
}

int vms_stat_space(vms_space *space, unsigned flags, struct vms_stat *stat)
{
	struct vms_stat known;
	int error = vmsi_stat_check(space, flags, stat);

	if (!error)
		error = vmsi_stat_of_space(space, flags, &known);
	return vmsi_stat_give(error, &known, stat);
}
