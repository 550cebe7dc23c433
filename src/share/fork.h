/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SHARE_FORK_H
#define VMSI_SHARE_FORK_H

struct vms_share;

/* The shares of the process, which fork(2) must know, complete or not. */
void vmsi_share_register(struct vms_share *share);
void vmsi_share_unregister(struct vms_share *share);

#endif
