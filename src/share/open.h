/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SHARE_OPEN_H
#define VMSI_SHARE_OPEN_H

#include <stdbool.h>

#include <vmspace/share.h>

/* What making and attaching have in common. Each returns 0 or -errno. */

/* The caller's options; flags: those that it may give. */
int vmsi_share_options(struct vms_share_options *known,
		       const struct vms_share_options *options, unsigned flags);

/*
 * A record, with what is not yet known 0; and its end, with that of its descriptor.
 * Between them fork(2) knows of it, so that no child keeps the descriptor of a share
 * that another thread is just opening or closing.
 */
struct vms_share *vmsi_share_record(unsigned flags);
void vmsi_share_set_complete(struct vms_share *share, bool is_complete);
void vmsi_share_drop_record(struct vms_share *share);

/* Whether huge pages can be had for a file in memory: 0 or -ENOTSUP. */
int vmsi_share_check_huge(void);

#endif
