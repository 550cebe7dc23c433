/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include <vmspace/share_lock.h>

#include "host/host.h"
#include "share/atomic.h"
#include "share/share.h"
#include "share/wait.h"
#include "space/inside.h"

/*
 * Events: a word that counts how often it has happened and was reset; it is odd while it
 * has happened. So who was waiting meanwhile finds another count, and goes on.
 */

int vms_share_event_set(vms_share *share, vms_share_event *event)
{
	const int error = vmsi_share_check_words(share, event, sizeof(*event));

	if (error)
		return vmsi_status(error);
	if (vmsi_share_set_bits(&event->state, 1) % 2 == 0)
		(void)vmsi_host.futex_wake(&event->state, INT32_MAX);
	return 0;
}

int vms_share_event_reset(vms_share *share, vms_share_event *event)
{
	const int error = vmsi_share_check_words(share, event, sizeof(*event));
	uint32_t state;

	if (error)
		return vmsi_status(error);
	state = vmsi_share_load(&event->state);
	/* Where that fails somebody else has reset it. */
	if (state % 2 != 0)
		(void)vmsi_share_swap(&event->state, state, state + 1);
	return 0;
}

int vms_share_event_wait(vms_share *share, vms_share_event *event,
			 uint64_t timeout)
{
	const struct vmsi_deadline deadline = vmsi_deadline(timeout);
	int error = vmsi_share_check_words(share, event, sizeof(*event));
	uint32_t state;

	if (error)
		return vmsi_status(error);
	state = vmsi_share_load(&event->state);
	if (state % 2 != 0)
		return 0;
	do {
		error = vmsi_share_wait(&event->state, state, &deadline);
		if (vmsi_share_load(&event->state) != state)
			return 0;
	} while (error != -ETIMEDOUT);
	return vmsi_status(error);
}
