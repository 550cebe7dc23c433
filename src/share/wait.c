/* SPDX-License-Identifier: MIT */
#include "share/wait.h"

#include <errno.h>

#include "base/align.h"
#include "host/host.h"
#include "share/share.h"

/* So long a wait goes on without a look at who is waited for. */
#define LOOK_NANOSECONDS 20000000u

struct vmsi_deadline vmsi_deadline(uint64_t timeout)
{
	struct vmsi_deadline deadline = { UINT64_MAX };

	if (timeout != UINT64_MAX &&
	    __builtin_add_overflow(vmsi_host.clock(), timeout, &deadline.end))
		deadline.end = UINT64_MAX;
	return deadline;
}

int vmsi_share_wait(const uint32_t *word, uint32_t value,
		    const struct vmsi_deadline *deadline)
{
	uint64_t left = LOOK_NANOSECONDS;
	bool is_last = false;
	long error;

	if (deadline->end != UINT64_MAX) {
		const uint64_t now = vmsi_host.clock();

		if (now >= deadline->end)
			return -ETIMEDOUT;
		is_last = deadline->end - now <= left;
		left = vmsi_min(left, deadline->end - now);
	}
	error = vmsi_host.futex_wait(word, value, left);
	if (error != -ETIMEDOUT)
		return 0;
	return is_last ? -ETIMEDOUT : -EAGAIN;
}

bool vmsi_share_has(const struct vms_share *share, const void *object,
		    size_t length)
{
	const uintptr_t at = (uintptr_t)object;
	const uintptr_t base = (uintptr_t)share->base;
	const uint64_t size = vmsi_share_size(share);

	return at % sizeof(uint32_t) == 0 && at >= base && length <= size &&
		at - base <= size - length;
}
