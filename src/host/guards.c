/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdatomic.h>

#include "base/mman.h"
#include "host/host.h"

/* What guards stacks: pages that fault, and shadow stacks. */

/*
 * Whether a page faults that was made a guard: a system call that is to write to it
 * tells.
 */
static bool guard_faults(uintptr_t page)
{
	return vmsi_host.madvise(page, vmsi_page_size(),
				 MADV_GUARD_INSTALL) == 0 &&
		vmsi_host.random((void *)page, 1) == -EFAULT;
}

bool vmsi_host_has_guards(void)
{
	static atomic_bool has_guards;
	bool faults;
	long page;

	if (atomic_load_explicit(&has_guards, memory_order_relaxed))
		return true;
	page = vmsi_host.mmap(0, vmsi_page_size(), PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page < 0)
		return false;
	faults = guard_faults((uintptr_t)page);
	vmsi_host.munmap((uintptr_t)page, vmsi_page_size());
	/* A no may be for now only: where all new memory is locked. */
	if (faults)
		atomic_store_explicit(&has_guards, true, memory_order_relaxed);
	return faults;
}

/* --- shadow stacks ---------------------------------------------------------- */

/* Where both have it, the lowest bit says that there is a shadow stack. */
#define SHADOW_STACK_ENABLED 1u

/* The kernel tells the status also where it has no shadow stacks: so it is asked for one. */
static bool can_map_shadow_stack(void)
{
	const size_t page_size = vmsi_page_size();
	const long page = vmsi_host.map_shadow_stack(0, page_size, 0);

	if (page >= 0)
		vmsi_host.munmap((uintptr_t)page, page_size);
	return page >= 0;
}

enum vmsi_shadow_stack vmsi_host_shadow_stack(void)
{
	uint64_t features = 0;

	if (!can_map_shadow_stack() ||
	    vmsi_host.shadow_stack_status(&features) < 0)
		return VMSI_SHADOW_STACK_NONE;
	return features & SHADOW_STACK_ENABLED ? VMSI_SHADOW_STACK_ON :
						 VMSI_SHADOW_STACK_OFF;
}
