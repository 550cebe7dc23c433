/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SHARE_GROW_H
#define VMSI_SHARE_GROW_H

#include <stdint.h>

struct vms_share;

/* Take the space of a range of the file. Returns 0 or -errno. */
int vmsi_share_take_space(int fd, uint64_t offset, uint64_t length);

/* vms_share_grow without the lock; not more than the maximum. */
int vmsi_share_grow_to(struct vms_share *share, uint64_t size);

#endif
