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

bool vmsi_deadline_has_passed(const struct vmsi_deadline *deadline)
{
	return deadline->end != UINT64_MAX && vmsi_host.clock() >= deadline->end;
}

/*
 * What signals interrupt is waited for again, and not beyond the time of one wait: who
 * gets them all the time is to look at who is waited for as well.
 */
int vmsi_share_wait(const uint32_t *word, uint32_t value,
		    const struct vmsi_deadline *deadline)
{
	uint64_t now = vmsi_host.clock();
	const uint64_t end = vmsi_min(now + LOOK_NANOSECONDS, deadline->end);
	long error;

	do {
		if (now >= end)
			return end == deadline->end ? -ETIMEDOUT : -EAGAIN;
		error = vmsi_host.futex_wait(word, value, end - now);
		now = vmsi_host.clock();
	} while (error == -EINTR || error == -ETIMEDOUT);
	return 0;
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

int vmsi_share_check_words(const struct vms_share *share, const void *object,
			   size_t length)
{
	if (!vmsi_share_has(share, object, length))
		return -EINVAL;
	if (vmsi_share_reads(share))
		return -EPERM;
	return atomic_load(&share->is_orphan) ? -EBADF : 0;
}
