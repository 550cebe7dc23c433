/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_POOL_SWEEP_H
#define VMSI_TESTS_POOL_SWEEP_H

#include <stdbool.h>

#include "../unit/no_ring.h"
#include "host_fault.h"
#include "host_fault_files.h"

/* What the sweeps of pools have in common: the host that fails, where it does not. */

static inline long no_sleep(unsigned nanoseconds)
{
	(void)nanoseconds;
	return 0;
}

static long (*failing_sync)(int fd);
static bool sync_was_refused;

static inline long noted_sync(int fd)
{
	const long result = failing_sync(fd);

	sync_was_refused |= result < 0;
	return result;
}

static inline void pool_sweep_install(void)
{
	fault_stay_on_one_processor();
	fault_install();
	vmsi_host.nanosleep = no_sleep;
	failing_sync = vmsi_host.fdatasync;
	vmsi_host.fdatasync = noted_sync;
	/* No host refuses to wake somebody. */
	vmsi_host.futex_wake = fault_real.futex_wake;
	vmsi_uring.open = no_ring;
}

#endif
