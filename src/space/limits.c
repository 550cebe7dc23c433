/* SPDX-License-Identifier: MIT */
#include <sys/resource.h>

#include "base/mman.h"
#include "host/host.h"
#include "space/inside.h"
#include "space/space.h"

/*
 * RLIMIT_AS and RLIMIT_DATA. The host counts the reservation when a space is
 * opened, and does not look at the limits when something is mapped over it. So
 * the space does, where the host would for a program without a space.
 *
 * RLIMIT_DATA limits private writable memory. The host's count (VmData)
 * includes what is mapped in spaces, so it is compared as it is.
 *
 * RLIMIT_AS limits addresses. The host's count (VmSize) includes the
 * reservations, and a program reads VmSize before it sets a limit. So what is
 * mapped in spaces after the limit was set is added:
 *
 *   VmSize + bytes that were mapped in spaces since the limit was set
 *
 * A space that was opened under the limit has had all of its addresses counted
 * then, and nothing that is mapped in it is added.
 */

/*
 * The RLIMIT_AS that the latest getrlimit gave, and how often it was another
 * one than before: each change begins an era.
 */
static _Atomic uint64_t seen_limit = UINT64_MAX;
static _Atomic unsigned era;

/* Bytes mapped since this era began, in spaces opened before it. */
static _Atomic int64_t mapped_in_era;

/* Ask the host for RLIMIT_AS. If it has changed, an era begins. */
static uint64_t address_limit(void)
{
	uint64_t soft, hard, seen = atomic_load(&seen_limit);

	if (vmsi_host.limit(RLIMIT_AS, &soft, &hard) < 0)
		return UINT64_MAX;
	/* If two threads see the new limit, one of them begins the era. */
	if (soft != seen &&
	    atomic_compare_exchange_strong(&seen_limit, &seen, soft)) {
		atomic_store(&mapped_in_era, 0);
		atomic_fetch_add(&era, 1);
	}
	return soft;
}

bool vmsi_limit_was_seen(void)
{
	return atomic_load_explicit(&seen_limit, memory_order_relaxed) !=
		UINT64_MAX;
}

bool vmsi_limits_unset(void)
{
	return address_limit() == UINT64_MAX;
}

static bool passes(uint64_t used, uint64_t more, uint64_t limit)
{
	uint64_t sum;

	/* The host compares whole pages. */
	return __builtin_add_overflow(used, more, &sum) ||
		sum > vmsi_align_down(limit, vmsi_page_size());
}

static bool passes_address_limit(const struct vms_space *space, size_t more)
{
	uint64_t limit = address_limit();
	struct vmsi_host_usage usage;
	int64_t mapped;

	if (limit == UINT64_MAX || space->limits.opened_in == atomic_load(&era))
		return false;
	/* If the count cannot be read, nothing else would keep the limit. */
	if (vmsi_host_usage(&usage))
		return true;
	mapped = atomic_load(&mapped_in_era);
	if (mapped < 0 && (uint64_t)-mapped > usage.addresses)
		return false;
	return passes(usage.addresses + (uint64_t)mapped, more, limit);
}

static bool passes_data_limit(size_t more)
{
	uint64_t soft, hard;
	struct vmsi_host_usage usage;

	if (vmsi_host.limit(RLIMIT_DATA, &soft, &hard) < 0 ||
	    soft == UINT64_MAX)
		return false;
	if (vmsi_host_usage(&usage))
		return true;
	if (!passes(usage.data, more, soft))
		return false;
	/*
	 * Linux passes over a soft limit of 0 up to the hard limit, for
	 * programs that set it to limit their break.
	 */
	if (soft == 0 && !passes(usage.data, more, hard))
		return false;
	return !vmsi_host_ignores_data_limit();
}

bool vmsi_is_data(uint32_t prot, uint32_t flags)
{
	const uint32_t other = VMSI_SHARED | VMSI_GROWSDOWN;

	return (prot & PROT_WRITE) && !(flags & other);
}

int vmsi_check_limits(struct vms_space *space, size_t more, enum vmsi_counts counts)
{
	if (passes_address_limit(space, more) ||
	    (counts == VMSI_COUNTS_AS_DATA && passes_data_limit(more)))
		return vmsi_refuse(VMS_REFUSAL_HOST);
	return 0;
}

/* --- what is mapped -------------------------------------------------------------- */

void vmsi_limits_open(struct vms_space *space)
{
	(void)address_limit();
	space->limits.opened_in = atomic_load(&era);
}

void vmsi_limits_note(struct vms_space *space, size_t mapped)
{
	struct vmsi_limits *limits = &space->limits;
	int64_t change = (int64_t)mapped - (int64_t)limits->mapped;
	unsigned now = atomic_load_explicit(&era, memory_order_relaxed);

	limits->mapped = mapped;
	if (change == 0)
		return;
	/*
	 * A call that maps has asked for the limit. One that unmaps asks only
	 * after a limit was seen, so that it costs nothing otherwise; what it
	 * unmaps before a first limit is seen does not count under that limit.
	 */
	if (change < 0 && now != 0) {
		(void)address_limit();
		now = atomic_load_explicit(&era, memory_order_relaxed);
	}
	if (limits->opened_in == now)
		return;
	if (limits->counted_in != now) {
		limits->counted_in = now;
		limits->counted = 0;
	}
	limits->counted += change;
	atomic_fetch_add(&mapped_in_era, change);
}

void vmsi_limits_close(struct vms_space *space)
{
	const struct vmsi_limits *limits = &space->limits;

	if (limits->counted_in == atomic_load(&era))
		atomic_fetch_sub(&mapped_in_era, limits->counted);
}
