/* SPDX-License-Identifier: MIT */
#include "preload/heap_open.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <vmspace/heap.h>

#include "preload/heap_forking.h"
#include "preload/heap_range.h"
#include "preload/heap_settings.h"
#include "preload/marks.h"
#include "space/registry.h"

/* The one heap of the process, and when it is opened. */

/*
 * Opening is tried once. A call that comes while the heap is being opened goes to
 * the next malloc. So no call waits for the opening: not a malloc that the opening
 * itself makes, nor one in a child that was forked meanwhile.
 */
enum state { UNTRIED, OPENING, OPEN, DISABLED, REFUSED };

static _Atomic(int) state = UNTRIED;
static vms_heap *the_heap;

/*
 * Under RLIMIT_DATA, what is retained is missing to those who cannot make the heap
 * yield, libc's own mappings for instance. So the default is a share of the limit
 * if that is less than the machine's memory.
 */
static void retain_under_limit(struct vms_heap_options *options)
{
	struct rlimit limit;
	struct sysinfo machine;

	if (options->retain == 0 && getrlimit(RLIMIT_DATA, &limit) == 0 &&
	    sysinfo(&machine) == 0 &&
	    limit.rlim_cur / machine.mem_unit < machine.totalram)
		options->retain = limit.rlim_cur >= 8 ? limit.rlim_cur / 8 :
			VMS_HEAP_RETAIN_NONE;
}

static vms_heap *open_heap(void)
{
	struct vms_heap_options options = vmsi_interposer_settings.options;

	retain_under_limit(&options);
	/* The program must not meet a descriptor that it did not open. */
	vmsi_registry_wait_for_wish();
	return vms_heap_open(&options);
}

static void try_to_open(void)
{
	enum state outcome = DISABLED;
	vms_heap *heap = NULL;

	vmsi_interposer_read_settings();
	if (vmsi_interposer_settings.threshold != SIZE_MAX) {
		heap = open_heap();
		outcome = heap ? OPEN : REFUSED;
	}
	if (heap) {
		vms_space *space = vms_heap_space(heap);

		the_heap = heap;
		__atomic_store_n(&vmsi_interposer.base,
				 (uintptr_t)vms_space_base(space),
				 __ATOMIC_RELAXED);
		__atomic_store_n(&vmsi_interposer.length, vms_space_size(space),
				 __ATOMIC_RELAXED);
	} else {
		__atomic_store_n(&vmsi_interposer.threshold, SIZE_MAX,
				 __ATOMIC_RELAXED);
	}
	atomic_store_explicit(&state, outcome, memory_order_release);
}

VMSI_COLD static void open_once(void)
{
	int untried = UNTRIED;

	if (atomic_compare_exchange_strong(&state, &untried, OPENING))
		try_to_open();
}

vms_heap *vmsi_interposer_if_open(void)
{
	return atomic_load_explicit(&state, memory_order_acquire) == OPEN ?
		the_heap : NULL;
}

bool vmsi_interposer_was_refused(void)
{
	return atomic_load_explicit(&state, memory_order_relaxed) == REFUSED;
}

vms_heap *vmsi_interposer_get(void)
{
	/* Opening takes locks that the fork holds. */
	if (vmsi_interposer_is_forking())
		return NULL;
	if (atomic_load_explicit(&state, memory_order_acquire) == UNTRIED)
		open_once();
	return vmsi_interposer_if_open();
}
