/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SHARE_HEADROOM_H
#define VMSI_SHARE_HEADROOM_H

#include <stdint.h>

/*
 * Whether the memory cgroups of this process have room for so many bytes more: 0, or
 * -ENOMEM. What the kernel could take back for it (pages of files, and what fits into
 * swap) counts as room. Where that cannot be told, it is 0.
 */
int vmsi_headroom_check(uint64_t bytes);

#endif
