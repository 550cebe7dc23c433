/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include <vmspace/share_lock.h>

#include "host/host.h"
#include "share/share.h"
#include "share/wait.h"
#include "space/inside.h"

/* Events: a word that is 0 until it has happened. */

static int check(const struct vms_share *share, const vms_share_event *event)
{
	if (!vmsi_share_has(share, event, sizeof(*event)))
		return -EINVAL;
	if (vmsi_share_reads(share))
		return -EPERM;
	return atomic_load(&share->is_orphan) ? -EBADF : 0;
}

int vms_share_event_set(vms_share *share, vms_share_event *event)
{
	const int error = check(share, event);

	if (error)
		return vmsi_status(error);
	if (__atomic_exchange_n(&event->state, 1, __ATOMIC_ACQ_REL) == 0)
		(void)vmsi_host.futex_wake(&event->state, INT32_MAX);
	return 0;
}

int vms_share_event_reset(vms_share *share, vms_share_event *event)
{
	const int error = check(share, event);

	if (!error)
		__atomic_store_n(&event->state, 0, __ATOMIC_RELEASE);
	return vmsi_status(error);
}

int vms_share_event_wait(vms_share *share, vms_share_event *event,
			 uint64_t timeout)
{
	const struct vmsi_deadline deadline = vmsi_deadline(timeout);
	int error = check(share, event);

	while (!error && __atomic_load_n(&event->state, __ATOMIC_ACQUIRE) == 0) {
		error = vmsi_share_wait(&event->state, 0, &deadline);
		if (error == -EAGAIN)
			error = 0;
	}
	return vmsi_status(error);
}
