/* SPDX-License-Identifier: MIT */
#include <string.h>

#include <vmspace/mapping.h>

#include "base/mman.h"
#include "base/versioned.h"
#include "host/host.h"
#include "space/inside.h"
#include "stacks/collect.h"
#include "stacks/fork.h"
#include "stacks/stacks.h"

/* vms_stacks_open. */

#define KEEP ((size_t)64 << 10)
#define AGE 10000
#define COLOURS 1024

#define FLAGS (VMS_STACKS_NORESERVE | VMS_STACKS_CLEARED)

/* --- options ------------------------------------------------------------------------ */

static bool is_power_of_two(size_t value)
{
	return value && (value & (value - 1)) == 0;
}

/* As vms_set_name has it. */
static bool name_is_good(const char *name)
{
	size_t length = 0;

	for (; *name && length <= VMS_NAME_MAX; name++, length++)
		if (*name < 0x20 || *name > 0x7e || strchr("[]\\$`", *name))
			return false;
	return length <= VMS_NAME_MAX;
}

/* Fill in what is not asked for. */
static void complete(struct vms_stacks_options *options)
{
	if (!options->name)
		options->name = "stacks";
	if (!options->guard)
		options->guard = vmsi_page_size();
	if (!options->alignment)
		options->alignment = vmsi_page_size();
	if (!options->keep)
		options->keep = KEEP;
	if (!options->colours)
		options->colours = COLOURS;
	if (options->colours == VMS_STACKS_NO_COLOURS)
		options->colours = COLOUR_BYTES;
	if (!options->age)
		options->age = AGE;
}

static bool options_are_good(const struct vms_stacks_options *options,
			     size_t count, size_t size)
{
	return count > 0 && count <= VMS_STACKS_MOST && size > 0 &&
		!(options->flags & ~FLAGS) &&
		!(options->space && options->budget) &&
		is_power_of_two(options->alignment) &&
		options->alignment >= vmsi_page_size() &&
		options->colours <= vmsi_page_size() &&
		vmsi_is_aligned(options->colours, COLOUR_BYTES) &&
		name_is_good(options->name);
}

/* --- layout ------------------------------------------------------------------------- */

/*
 * Tops that are spread lie an odd number of pages apart, too. Otherwise all would be in
 * half of the sets in which the processor keeps the places of pages, or in fewer. The
 * page more is the guard's, where it costs least.
 */
static bool spread(struct vms_stacks *stacks, const struct vms_stacks_options *options,
		   size_t *pitch)
{
	const size_t page = vmsi_page_size();

	if (stacks->colours == 1 || options->alignment > page || *pitch / page % 2)
		return true;
	stacks->guard += page;
	return vmsi_add(*pitch, page, pitch);
}

/*
 * Each base is aligned, so the first slot begins a guard below an aligned address, at
 * most a pitch and an alignment above the start of the mapping.
 */
static int lay_out(struct vms_stacks *stacks,
		   const struct vms_stacks_options *options, size_t size,
		   size_t *bytes)
{
	const size_t page = vmsi_page_size();
	size_t whole, pitch;

	if (!vmsi_align_up_checked(options->guard, page, &stacks->guard) ||
	    !vmsi_add(size, options->colours - COLOUR_BYTES, &whole) ||
	    !vmsi_align_up_checked(whole, page, &stacks->size) ||
	    !vmsi_add(stacks->guard, stacks->size, &pitch) ||
	    !vmsi_align_up_checked(pitch, options->alignment, &stacks->pitch) ||
	    !spread(stacks, options, &stacks->pitch) ||
	    !vmsi_multiply(stacks->pitch, stacks->count, bytes) ||
	    !vmsi_add(*bytes, stacks->guard + options->alignment, bytes))
		return vmsi_refuse(VMS_REFUSAL_ADDRESSES);
	/* What the alignment leaves, up to the next guard. */
	stacks->size = stacks->pitch - stacks->guard;
	stacks->keep = vmsi_align_up(vmsi_min(options->keep, stacks->size), page);
	return 0;
}

static void place(struct vms_stacks *stacks, uintptr_t start, size_t bytes,
		  size_t alignment)
{
	stacks->mapping = (struct vmsi_range){ start, start + bytes };
	stacks->first = vmsi_align_up(start + stacks->guard, alignment) -
		stacks->guard;
}

/* --- memory ------------------------------------------------------------------------- */

static int find_space(struct vms_stacks *stacks, size_t bytes,
		      const struct vms_stacks_options *given)
{
	const struct vms_space_options options = {
		.struct_size = sizeof(options),
		.name = stacks->name,
		.commit_policy = VMS_COMMIT_ALWAYS,
		.placement = VMS_PLACE_TOP,
		.budget = given->budget,
	};

	stacks->space = given->space;
	if (stacks->space)
		return 0;
	stacks->own_space = true;
	stacks->space = vms_space_open(bytes, &options);
	if (!stacks->space)
		return -errno;
	vmsi_space_tell(stacks->space, VMSI_SIGN_STACKS, stacks->name);
	return 0;
}

/* Huge pages would make much of a stack resident of which little is used. */
static int reserve(struct vms_stacks *stacks, size_t bytes, size_t alignment)
{
	const int noreserve = vmsi_stacks_has(stacks, VMS_STACKS_NORESERVE) ?
		MAP_NORESERVE : 0;
	char *start = vms_mmap(stacks->space, NULL, bytes, PROT_NONE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK |
				       noreserve, -1, 0);

	if (start == MAP_FAILED)
		return -errno;
	/* The name is for listings, and is as good as the check of the options. */
	(void)vms_set_name(stacks->space, start, bytes, stacks->name);
	(void)vms_madvise(stacks->space, start, bytes, MADV_NOHUGEPAGE);
	place(stacks, (uintptr_t)start, bytes, alignment);
	return 0;
}

static int set_up(struct vms_stacks *stacks, size_t size,
		  const struct vms_stacks_options *options)
{
	size_t bytes = 0;
	int error = lay_out(stacks, options, size, &bytes);

	/* First what could not be undone where the host refuses everything. */
	if (!error)
		error = vmsi_stacks_register(stacks);
	if (error)
		return error;
	error = find_space(stacks, bytes, options);
	if (!error)
		error = reserve(stacks, bytes, options->alignment);
	if (error) {
		vmsi_stacks_unregister(stacks);
		return error;
	}
	if (!stacks->own_space)
		vmsi_space_tell_part(stacks->space, &stacks->sign,
				     stacks->mapping, VMSI_SIGN_STACKS,
				     stacks->name);
	stacks->has_guards = vmsi_host_has_guards();
	vmsi_stacks_show(stacks);
	return 0;
}

static void tear_down(struct vms_stacks *stacks)
{
	if (stacks->own_space && stacks->space)
		(void)vms_space_close(stacks->space);
	vmsi_records_put(NULL, stacks, stacks->record_bytes);
}

/* --- the call ------------------------------------------------------------------------ */

/* The pool's struct, with its arrays behind it. */
static struct vms_stacks *get_records(size_t count)
{
	const size_t page = vmsi_page_size();
	const size_t slots = vmsi_align_up(sizeof(struct vms_stacks), LINE_BYTES);
	const size_t names = slots + count * sizeof(struct slot);
	const size_t bytes = vmsi_align_up(
		names + count * sizeof(struct stack_name), page);
	struct vms_stacks *stacks = vmsi_records_get(NULL, bytes);

	if (!stacks)
		return NULL;
	stacks->slots = (struct slot *)((char *)stacks + slots);
	stacks->names = (struct stack_name *)((char *)stacks + names);
	stacks->record_bytes = bytes;
	return stacks;
}

static uint64_t next_id(void)
{
	static _Atomic uint64_t latest;

	return atomic_fetch_add(&latest, 1) + 1;
}

static int open_pool(size_t count, size_t size,
		     const struct vms_stacks_options *options,
		     struct vms_stacks **result)
{
	struct vms_stacks *stacks = get_records(count);
	int error;

	if (!stacks)
		return vmsi_refuse(VMS_REFUSAL_RECORDS);
	stacks->id = next_id();
	stacks->count = count;
	stacks->colours = options->colours / COLOUR_BYTES;
	stacks->age = options->age;
	stacks->flags = options->flags;
	memcpy(stacks->name, options->name, strlen(options->name));
	atomic_store(&stacks->pass, VMSI_FIRST_PASS);
	vmsi_lock_init(&stacks->lock, VMSI_RANK_STACKS);
	error = set_up(stacks, size, options);
	if (error)
		tear_down(stacks);
	else
		*result = stacks;
	return error;
}

vms_stacks *vms_stacks_open(size_t count, size_t size,
			    const struct vms_stacks_options *options)
{
	struct vms_stacks_options known = { 0 };
	struct vms_stacks *stacks = NULL;
	const int earlier = errno;
	int error = options ? vmsi_take_options(&known, sizeof(known),
						VMSI_FIRST_STACKS_OPTIONS,
						options) : 0;

	complete(&known);
	if (!error && !options_are_good(&known, count, size))
		error = -EINVAL;
	if (!error)
		error = open_pool(count, size, &known, &stacks);
	errno = error ? -error : earlier;
	return stacks;
}
