/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <sys/mman.h>

#include <vmspace/mapping.h>

#include "base/reclaim.h"
#include "base/versioned.h"
#include "growth/growth.h"
#include "heap/heap.h"
#include "heap/registry.h"
#include "host/file.h"
#include "host/host.h"
#include "space/inside.h"

/* Opens and closes heaps. */

#define RESERVE_MOST ((size_t)16 << 40)
#define RESERVE_LEAST ((size_t)256 << 20)
#define RECLAIMABLE_AFTER 1000
#define GIVE_BACK_AFTER 10000

static bool options_are_good(const struct vms_heap_options *options)
{
	return (options->flags & ~VMS_HEAP_NO_HUGE_PAGES) == 0;
}

static void set_options(struct vms_heap *heap,
			const struct vms_heap_options *options)
{
	size_t memory = 0;

	heap->ages.most = options->retain;
	if (heap->ages.most == 0 && vmsi_host.memory_size(&memory) == 0)
		heap->ages.most = memory / 8;
	if (options->retain == VMS_HEAP_RETAIN_NONE)
		heap->ages.most = 0;
	heap->ages.most = vmsi_align_down(heap->ages.most, vmsi_page_size());
	heap->ages.reclaimable_after = options->reclaimable_after ?
		options->reclaimable_after : RECLAIMABLE_AFTER;
	heap->ages.give_back_after = options->give_back_after ?
		options->give_back_after : GIVE_BACK_AFTER;
	heap->huge_pages = !(options->flags & VMS_HEAP_NO_HUGE_PAGES) &&
		vmsi_growth_has_huge_pages();
	heap->huge_unasked = vmsi_growth_gives_unasked();
}

/* The space refuses no commit itself: the kernel does, and a budget. */
static vms_space *open_space(size_t size, struct vms_budget *budget)
{
	const struct vms_space_options options = {
		.struct_size = sizeof options,
		.name = "heap",
		.commit_policy = VMS_COMMIT_ALWAYS,
		.budget = budget,
	};

	vms_space *space = vms_space_open(size, &options);

	if (space)
		vmsi_space_tell(space, VMSI_SIGN_HEAP, NULL);
	return space;
}

/*
 * A heap takes at most a quarter of the addresses that can be had: under a limit or
 * on a small machine they are scarce, and libraries, files and threads need them
 * (a thread 8 MiB for its stack, and 64 MiB if its malloc gives it an arena). If a
 * quarter is less than this, it takes half, since with few slots it is of no use.
 */
#define HALF_BELOW ((size_t)2 << 30)

static bool leaves_enough(size_t size)
{
	const size_t whole = size < HALF_BELOW ? 2 * size : 4 * size;
	long found = vmsi_host.mmap(0, whole, PROT_NONE,
				    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
				    -1, 0);

	return found >= 0 && vmsi_host.munmap((uintptr_t)found, whole) == 0;
}

static vms_space *reserve(size_t asked, struct vms_budget *budget)
{
	vms_space *space = NULL;

	if (asked)
		return open_space(asked, budget);
	for (size_t size = RESERVE_MOST; !space && size >= RESERVE_LEAST;
	     size /= 2)
		if (leaves_enough(size))
			space = open_space(size, budget);
	if (!space)
		errno = ENOMEM;
	return space;
}

/* The kernel's default of vm.max_map_count, if the host does not tell. */
#define MAPS_MOST 65530u

/* How many mappings of the host the process may have. */
static size_t maps_most(void)
{
	uint64_t maps;

	if (!vmsi_host_read_number("/proc/sys/vm/max_map_count", &maps))
		maps = 0;
	return maps ? maps : MAPS_MOST;
}

/*
 * Cut the space into slots. Half of the host's mappings are for slots, where
 * one with memory makes two; a quarter is for holes in runs, where each makes
 * two more. The rest is for the program, which needs some to start threads and
 * load libraries.
 */
static int lay_out(struct vms_heap *heap, struct vmsi_range range)
{
	const size_t maps = maps_most();

	heap->runs.holes_most = maps / 8;
	return vmsi_layout_init(&heap->layout, range, maps / 4);
}

/* Map all slots as one PROT_NONE mapping, which is not charged. */
static int map_slots(struct vms_heap *heap)
{
	void *start = (void *)heap->layout.start;

	if (vms_mmap(heap->space, start, heap->layout.length, PROT_NONE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		     0) == MAP_FAILED)
		return -errno;
	if (heap->huge_pages &&
	    vms_madvise(heap->space, start, heap->layout.length, MADV_HUGEPAGE))
		heap->huge_pages = false;
	return 0;
}

static int set_up(struct vms_heap *heap, const struct vms_heap_options *options)
{
	struct vmsi_range range;
	int error;

	heap->space = reserve(options->reserve, options->budget);
	if (!heap->space)
		return -errno;
	range.start = (uintptr_t)vms_space_base(heap->space);
	range.end = range.start + vms_space_size(heap->space);
	error = lay_out(heap, range);
	if (error)
		return error;
	set_options(heap, options);
	vmsi_lock_init(&heap->ages.lock, VMSI_RANK_AGES);
	vmsi_lock_init(&heap->lock, VMSI_RANK_LEAF);
	vmsi_runs_init(heap);
	return map_slots(heap);
}

static void tear_down(struct vms_heap *heap)
{
	if (heap->space)
		(void)vms_space_close(heap->space);
	vmsi_layout_release(&heap->layout);
	vmsi_records_put(NULL, heap, sizeof *heap);
}

static int open_heap(const struct vms_heap_options *options,
		     struct vms_heap **result)
{
	struct vms_heap *heap = vmsi_records_get(NULL, sizeof *heap);
	int error;

	if (!heap)
		return -ENOMEM;
	error = set_up(heap, options);
	if (error) {
		tear_down(heap);
		/* EAGAIN too means that the host is short of memory. */
		return error == -EINVAL ? -EINVAL : -ENOMEM;
	}
	vmsi_heap_handle_refusals();
	vmsi_heap_register(heap);
	*result = heap;
	return 0;
}

vms_heap *vms_heap_open(const struct vms_heap_options *options)
{
	struct vms_heap_options known = { 0 };
	const unsigned since = vmsi_reclaim_moment();
	const int saved = errno;
	struct vms_heap *heap = NULL;
	int error = options ? vmsi_take_options(&known, sizeof known,
						VMSI_FIRST_HEAP_OPTIONS,
						options) : 0;

	if (!error && !options_are_good(&known))
		error = -EINVAL;
	if (!error)
		error = open_heap(&known, &heap);
	/* Other heaps may retain what was missing. */
	if (error == -ENOMEM && vmsi_reclaim(NULL, since))
		error = open_heap(&known, &heap);
	errno = error ? -error : saved;
	return heap;
}

void vms_heap_close(vms_heap *heap)
{
	const int saved = errno;

	if (!heap)
		return;
	vmsi_heap_unregister(heap);
	vmsi_runs_release(heap);
	tear_down(heap);
	errno = saved;
}

vms_space *vms_heap_space(const vms_heap *heap)
{
	return heap->space;
}
