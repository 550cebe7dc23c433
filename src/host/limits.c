/* SPDX-License-Identifier: MIT */
#include "host/host.h"

#include <errno.h>

#include "host/file.h"

/* What the host lets a process have, and what it counts. */

bool vmsi_host_may_lock(size_t length)
{
	const uintptr_t last_page =
		vmsi_align_down(UINTPTR_MAX, vmsi_page_size());
	/*
	 * The kernel checks the limit before the addresses. This range wraps,
	 * so the call fails with EINVAL within the limit, and never locks
	 * anything.
	 */
	long result = vmsi_host.mlock2(last_page, length, 0);

	return result != -ENOMEM && result != -EPERM;
}

int vmsi_host_usage(struct vmsi_host_usage *usage)
{
	static const struct vmsi_field fields[] = {
		VMSI_FIELD(KIB, struct vmsi_host_usage, "VmSize", addresses),
		VMSI_FIELD(KIB, struct vmsi_host_usage, "VmData", data),
	};
	uint64_t seen;
	int error = vmsi_host_read_fields("/proc/self/status", fields, 2, usage,
					  &seen);

	if (error)
		return error;
	return seen == 3 ? 0 : -EIO;
}

bool vmsi_host_ignores_data_limit(void)
{
	char answer;

	return vmsi_host_read_start(
		       "/sys/module/kernel/parameters/ignore_rlimit_data",
		       &answer, 1) == 1 && answer == 'Y';
}
