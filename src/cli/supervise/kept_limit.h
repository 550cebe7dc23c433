/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_SUPERVISE_KEPT_LIMIT_H
#define VMSI_CLI_SUPERVISE_KEPT_LIMIT_H

#include <stddef.h>
#include <stdint.h>

#include <vmspace/budget.h>

#include "cli/supervise/options.h"

/* The limit of a group that runs, and all that changes with it. */
struct vmsi_kept_limit {
	const struct vmsi_supervise_options *options;
	vms_group *group;
	vms_budget *budget; /* shows the limit to 'vmspace commit'; or NULL */
	size_t bytes;       /* the limit */
	struct vmsi_limit_source source; /* of it: it follows a control group */
	uint64_t next_look; /* nanoseconds: no refusal has it looked at before */
};

/*
 * Set it by hand: to what a source gives, now or from now on; or where that is a size to
 * so many bytes. Returns 0 or -EINVAL.
 */
int vmsi_kept_limit_set(struct vmsi_kept_limit *limit,
			const struct vmsi_limit_source *source, size_t bytes);

/*
 * Nothing tells that the limit of a control group was changed, so call this now and
 * then.
 */
void vmsi_kept_limit_follow(struct vmsi_kept_limit *limit);

/*
 * The same before a request is refused. A program that asks at its limit again and
 * again has this take 0.2 seconds, and a tenth of the time after that.
 */
void vmsi_kept_limit_follow_if_due(struct vmsi_kept_limit *limit);

#endif
