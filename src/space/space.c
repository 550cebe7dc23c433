/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "base/mman.h"
#include "base/reclaim.h"
#include "base/versioned.h"
#include "host/host.h"
#include "space/entry.h"
#include "space/fork.h"
#include "space/handle_table.h"
#include "space/inside.h"
#include "space/near.h"
#include "space/registry.h"
#include "space/space.h"
#include "space/walk.h"

/* Spaces themselves: open, close, options, figures. */

/* --- options ---------------------------------------------------------------------- */

static bool policy_is_known(enum vms_commit_policy policy)
{
	return policy == VMS_COMMIT_HEURISTIC || policy == VMS_COMMIT_ALWAYS ||
		policy == VMS_COMMIT_STRICT;
}

static bool options_are_good(const struct vms_space_options *options)
{
	return policy_is_known(options->commit_policy) &&
		(options->placement == VMS_PLACE_BOTTOM ||
		 options->placement == VMS_PLACE_TOP) &&
		!(options->flags &
		  ~(VMS_SPACE_HUGETLB_EXACT | VMS_SPACE_MCL_FUTURE |
		    VMS_SPACE_FILES_UNCHARGED)) &&
		!options->near == !options->reach &&
		!(options->near && options->address) &&
		vmsi_is_aligned((uintptr_t)options->address, vmsi_page_size()) &&
		(!options->name || strlen(options->name) <= VMS_NAME_MAX);
}

/* --- open ---------------------------------------------------------------------------- */

static int reserve_at(struct vms_space *space, uintptr_t address, size_t size)
{
	struct vmsi_range range = { address, 0 };
	long start;

	if (!vmsi_add(address, size, &range.end))
		return -ENOMEM;
	start = vmsi_host.mmap(address, size, PROT_NONE,
			       VMSI_RESERVATION | MAP_FIXED_NOREPLACE, -1, 0);
	if (start < 0)
		return (int)start;
	/* Linux before 4.17, and who emulates it, take the address for a hint. */
	if ((uintptr_t)start != address) {
		vmsi_host.munmap((uintptr_t)start, size);
		return -EEXIST;
	}
	space->range = range;
	return 0;
}

/* Reserve addresses on a boundary of huge pages, and give the rest back. */
static int reserve_anywhere(struct vms_space *space, size_t size)
{
	const size_t huge = vmsi_huge_page_size();
	size_t padded = size + huge;
	uintptr_t start, low, high;
	long whole;

	if (padded < size)
		return -ENOMEM;
	whole = vmsi_host.mmap(0, padded, PROT_NONE, VMSI_RESERVATION, -1, 0);
	if (whole < 0)
		return (int)whole;
	start = vmsi_align_up((uintptr_t)whole, huge);
	low = start - (uintptr_t)whole;
	high = padded - low - size;
	/* Padding that the host does not unmap costs addresses only. */
	if (low)
		vmsi_host.munmap((uintptr_t)whole, low);
	if (high)
		vmsi_host.munmap(start + size, high);
	space->range = (struct vmsi_range){ start, start + size };
	return 0;
}

static int reserve_addresses(struct vms_space *space, size_t size,
			     const struct vms_space_options *options)
{
	if (options && options->address)
		return reserve_at(space, (uintptr_t)options->address, size);
	if (options && options->near)
		return vmsi_reserve_near(size, (uintptr_t)options->near,
					 options->reach, &space->range);
	return reserve_anywhere(space, size);
}

static struct vms_space *make_record(void)
{
	size_t bytes = vmsi_align_up(sizeof(struct vms_space),
				     vmsi_page_size());
	struct vms_space *space = vmsi_records_get(NULL, bytes);

	if (space) {
		space->bytes = bytes;
		space->metadata = bytes;
	}
	return space;
}

static void drop_record(struct vms_space *space)
{
	vmsi_records_put(NULL, space, space->bytes);
}

static void init_state(struct vms_space *space,
		       const struct vms_space_options *options)
{
	struct vmsi_pool_source source = { vmsi_records_get, vmsi_records_put,
					   space };

	vmsi_lock_init(&space->lock, VMSI_RANK_SPACE);
	vmsi_map_init(&space->map, space->range, vmsi_guard_gap(), source);
	vmsi_objects_init(space, source);
	vmsi_ledger_init(&space->ledger,
			 options && options->commit_limit ?
				 options->commit_limit : vmsi_host_memory(),
			 options ? options->commit_policy :
				   VMS_COMMIT_HEURISTIC);
	space->sign.kind = VMSI_SIGN_SPACE;
	if (!options)
		return;
	space->placement = options->placement;
	space->flags = options->flags;
	if (options->name)
		memcpy(space->name, options->name, strlen(options->name) + 1);
	_Static_assert(sizeof(space->name) <= sizeof(space->sign.name),
		       "a sign has room for each name");
	memcpy(space->sign.name, space->name, sizeof(space->name));
	if (options->budget) {
		space->budget = options->budget;
		vmsi_budget_use(space->budget);
		vmsi_ledger_put_under(&space->ledger, &vmsi_budget_upper,
				      space->budget);
	}
}

/* Why the host refused: the map-count limit if it is reached, or other. */
static enum vms_refusal why_not(const struct vms_space *space,
				enum vms_refusal other)
{
	return vmsi_host_at_map_limit(space->limit_probe) ?
		VMS_REFUSAL_MAP_COUNT : other;
}

static int open_space(size_t size, const struct vms_space_options *options,
		      struct vms_space **result)
{
	struct vms_space *space = make_record();
	int error;

	/* Without the probe the map-count limit cannot be told from others. */
	if (!space)
		return vmsi_refuse(VMS_REFUSAL_HOST);
	error = vmsi_host_make_probe(&space->limit_probe);
	if (error) {
		(void)vmsi_refuse(VMS_REFUSAL_HOST);
		goto drop_record;
	}
	error = vmsi_fork_watch(space);
	if (error) {
		(void)vmsi_refuse(why_not(space, VMS_REFUSAL_HOST));
		goto unwatch;
	}
	error = reserve_addresses(space, size, options);
	if (error) {
		/* MAP_NORESERVE: the host's overcommit is not the reason. */
		(void)vmsi_refuse(size > vmsi_address_limit() ?
					  VMS_REFUSAL_OPEN :
					  why_not(space, VMS_REFUSAL_OPEN));
		goto unwatch;
	}
	init_state(space, options);
	vmsi_limits_open(space);
	vmsi_registry_add(space);
	*result = space;
	return 0;

unwatch:
	vmsi_fork_unwatch(space);
	vmsi_host_drop_probe(space->limit_probe);
drop_record:
	drop_record(space);
	return error;
}

vms_space *vms_space_open(size_t size, const struct vms_space_options *options)
{
	struct vms_space_options known = { 0 };
	const unsigned since = vmsi_reclaim_moment();
	struct vms_space *space = NULL;
	int error = options ? vmsi_take_options(&known, sizeof(known),
						VMSI_FIRST_SPACE_OPTIONS,
						options) : 0;

	if (!error && (size == 0 || !options_are_good(&known) ||
		       !vmsi_align_up_checked(size, vmsi_page_size(), &size)))
		error = -EINVAL;
	if (!error)
		error = open_space(size, options ? &known : NULL, &space);
	/* Heaps may retain the memory that the records of the space lack. */
	if (error == -ENOMEM && vmsi_reason() == VMS_REFUSAL_HOST &&
	    vmsi_reclaim(NULL, since))
		error = open_space(size, options ? &known : NULL, &space);
	if (error)
		(void)vmsi_status(error);
	return space;
}

/* --- close ----------------------------------------------------------------------------- */

/*
 * The first range from at on that the space must not unmap: foreign memory, or
 * an open gap below a MAP_GROWSDOWN mapping, in which nothing else can be. To
 * close such a gap first would change the space before the host can refuse to
 * unmap it.
 */
static struct vmsi_range next_left_alone(const struct vms_space *space,
					 uintptr_t at)
{
	struct vmsi_range next = { space->range.end, space->range.end };
	struct vmsi_mapping *record = vmsi_map_find(&space->map, at);

	while (record && !vmsi_has(&record->attributes, VMSI_FOREIGN))
		record = vmsi_map_next(record);
	if (record)
		next = vmsi_mapping_range(record);
	vmsi_stacks_first_open(space, at, &next);
	return next;
}

/* Unmap all addresses of the space but foreign memory. */
static int release_addresses(struct vms_space *space)
{
	uintptr_t at = space->range.start;
	bool first = true;

	while (at < space->range.end) {
		struct vmsi_range left_alone = next_left_alone(space, at);
		struct vmsi_range part = { at, left_alone.start };

		at = left_alone.end;
		if (part.start < part.end) {
			long result = vmsi_host.munmap(part.start,
						       vmsi_range_length(part));

			/*
			 * If the host refuses the first call, nothing has
			 * changed and the close fails. Later it must go on.
			 */
			if (result < 0 && first)
				return (int)result;
			first = false;
		}
	}
	return 0;
}

static void release_objects(struct vms_space *space)
{
	for (struct vmsi_mapping *mapping =
		     vmsi_map_find(&space->map, space->range.start);
	     mapping; mapping = vmsi_map_next(mapping))
		if (mapping->attributes.object)
			vmsi_object_release(space, mapping->attributes.object);
}

int vms_space_close(vms_space *space)
{
	int error;

	if (!space)
		return vmsi_status(-EINVAL);
	/* First, so that the fork handlers never find it half closed. */
	vmsi_registry_remove(space);
	error = vmsi_enter(space);
	if (!error) {
		/* This finds foreign memory in the gaps, to be left alone. */
		vmsi_gaps_close(space, space->range);
		error = vmsi_has_sealed(space, space->range) ?
			-EPERM : release_addresses(space);
		if (error) {
			vmsi_leave(space);
		} else {
			release_objects(space);
			vmsi_ledger_end(&space->ledger);
			vmsi_lock_release(&space->lock);
		}
	}
	if (error) {
		vmsi_registry_add(space);
		return vmsi_status(error);
	}
	vmsi_limits_close(space);
	if (space->budget)
		vmsi_budget_unuse(space->budget);
	vmsi_handles_release(space);
	vmsi_map_destroy(&space->map);
	vmsi_objects_release(space);
	vmsi_pool_release(&space->stacks.pool);
	vmsi_fork_unwatch(space);
	vmsi_host_drop_probe(space->limit_probe);
	drop_record(space);
	return 0;
}

/* --- figures --------------------------------------------------------------------------- */

void *vms_space_base(const vms_space *space)
{
	return (void *)space->range.start;
}

size_t vms_space_size(const vms_space *space)
{
	return vmsi_range_length(space->range);
}

const char *vms_space_name(const vms_space *space)
{
	return space->name;
}

bool vms_space_contains(const vms_space *space, const void *address,
			size_t length)
{
	struct vmsi_range range = { (uintptr_t)address, 0 };

	return vmsi_add(range.start, length, &range.end) &&
		vmsi_inside(space, range) && range.start < space->range.end;
}

int vms_space_set_commit(vms_space *space, size_t limit,
			 enum vms_commit_policy policy)
{
	int error;

	if (!policy_is_known(policy))
		return vmsi_status(-EINVAL);
	error = vmsi_enter(space);
	if (error)
		return vmsi_status(error);
	space->ledger.limit = limit ? limit : vmsi_host_memory();
	space->ledger.policy = policy;
	vmsi_leave(space);
	return 0;
}

int vms_space_get_stats(vms_space *space, struct vms_space_stats *stats)
{
	struct vms_space_stats known;
	struct vmsi_uncovered_figures uncovered;
	int error = stats ? vmsi_check_struct_size(stats->struct_size,
						   VMSI_FIRST_SPACE_STATS) :
			    -EINVAL;

	if (!error)
		error = vmsi_enter(space);
	if (error)
		return vmsi_status(error);
	vmsi_gaps_check(space);
	uncovered = vmsi_uncovered_count(space);
	known = (struct vms_space_stats){
		.reserved = vmsi_range_length(space->range),
		.mapped = space->map.mapped - uncovered.bytes,
		.mappings = space->map.count - uncovered.records,
		.committed = space->ledger.charged,
		.committed_peak = space->ledger.peak,
		.limit = space->ledger.limit,
		.policy = space->ledger.policy,
		.refusals = space->ledger.refusals,
		.huge_fallbacks = space->huge_fallbacks,
		.moves = space->moves,
		.grown_in_place = space->grown_in_place,
		.lost = uncovered.foreign,
		.metadata = space->metadata,
	};
	vmsi_leave(space);
	vmsi_give_figures(stats, &known, sizeof(known));
	return 0;
}

const char *vms_version(void)
{
	return VMSI_VERSION;
}
