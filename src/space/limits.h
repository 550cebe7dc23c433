/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SPACE_LIMITS_H
#define VMSI_SPACE_LIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* RLIMIT_AS and RLIMIT_DATA inside a space; see limits.c. */

struct vms_space;

/* What a space counts against RLIMIT_AS in addition to VmSize. */
struct vmsi_limits {
	unsigned opened_in;     /* era in which the space was opened */
	size_t mapped;          /* bytes in mappings after the latest call */
	unsigned counted_in;    /* era in which counted was counted */
	int64_t counted;        /* bytes mapped since that era began */
};

/* Whether the host counts memory of these attributes as data. */
bool vmsi_is_data(uint32_t prot, uint32_t flags);

/*
 * Check that the limits allow to map so many bytes more. Costs a system call
 * for RLIMIT_AS and one for RLIMIT_DATA if the bytes count as data, and if a
 * limit is set the reading of /proc/self/status. Returns 0, or -ENOMEM with its
 * reason.
 */
enum vmsi_counts { VMSI_COUNTS_AS_ADDRESSES, VMSI_COUNTS_AS_DATA };
int vmsi_check_limits(struct vms_space *space, size_t more,
		      enum vmsi_counts counts);

/* Whether RLIMIT_AS is unset (asks); whether it was set when last asked. */
bool vmsi_limits_unset(void);
bool vmsi_limit_was_seen(void);

/*
 * Begin the count of a new space; count what a call has changed, after which so
 * many bytes are mapped; end the count of a space that is closed.
 */
void vmsi_limits_open(struct vms_space *space);
void vmsi_limits_note(struct vms_space *space, size_t mapped);
void vmsi_limits_close(struct vms_space *space);

#endif
