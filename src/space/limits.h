/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SPACE_LIMITS_H
#define VMSI_SPACE_LIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* RLIMIT_AS and RLIMIT_DATA inside a space; see limits.c. */

struct vms_space;

/* What of a space counts against RLIMIT_AS, beyond its addresses; see limits.c. */
struct vmsi_limits {
	unsigned opened_in;     /* the era in which the space was opened */
	size_t mapped;          /* bytes in mappings, after the latest call */
	unsigned counted_in;    /* the era that counted is of */
	int64_t counted;        /* bytes mapped since that era began */
};

/* Whether the host counts memory of these attributes as data. */
bool vmsi_is_data(uint32_t prot, uint32_t flags);

/*
 * Whether the limits have room for so many bytes of addresses more, and of data
 * where they count as that. Costs a system call for each of the two limits, and
 * a file read where one is set. Returns 0, or -ENOMEM with its reason.
 */
enum vmsi_counts { VMSI_COUNTS_AS_ADDRESSES, VMSI_COUNTS_AS_DATA };
int vmsi_check_limits(struct vms_space *space, size_t more,
		      enum vmsi_counts counts);

/* Whether there is no limit of addresses; whether one was there when last asked. */
bool vmsi_limits_unset(void);
bool vmsi_limit_was_seen(void);

/* At the opening of a space; after a call on it; at its end. */
void vmsi_limits_open(struct vms_space *space);
void vmsi_limits_note(struct vms_space *space, size_t mapped);
void vmsi_limits_close(struct vms_space *space);

#endif
