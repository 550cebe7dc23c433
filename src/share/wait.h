/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SHARE_WAIT_H
#define VMSI_SHARE_WAIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vms_share;

/* Until when is waited. */
struct vmsi_deadline {
	uint64_t end;          /* of CLOCK_MONOTONIC, in ns; UINT64_MAX: never */
};

/* timeout: nanoseconds from now; UINT64_MAX: for ever. */
struct vmsi_deadline vmsi_deadline(uint64_t timeout);
bool vmsi_deadline_has_passed(const struct vmsi_deadline *deadline);

/*
 * Wait while *word is value, whatever signals come. 0: it may be another one; -EAGAIN:
 * it was waited for a while, and not to the deadline; -ETIMEDOUT.
 */
int vmsi_share_wait(const uint32_t *word, uint32_t value,
		    const struct vmsi_deadline *deadline);

/* Whether an object lies in the share, aligned to its words. */
bool vmsi_share_has(const struct vms_share *share, const void *object,
		    size_t length);

/* The same, and whether this process may change it: 0, or the error of a call. */
int vmsi_share_check_words(const struct vms_share *share, const void *object,
			   size_t length);

#endif
