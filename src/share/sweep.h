/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SHARE_SWEEP_H
#define VMSI_SHARE_SWEEP_H

#include <stdint.h>

struct vms_share;

/* Bytes behind the size: given back to the host, and zero. Each returns 0 or -errno. */

/* Whether bytes can be given back: -EPERM where writers are forbidden. */
int vmsi_share_may_clear(const struct vms_share *share);

/* Give the whole pages behind a size back, and clear the rest of its last page. */
int vmsi_share_clear_behind(const struct vms_share *share, uint64_t size);

/*
 * Before a growth, beyond whose end nobody can shrink the share: finish what one who has
 * died while it shrank it has begun. -EAGAIN: another process is about it.
 */
int vmsi_share_sweep(const struct vms_share *share);

#endif
