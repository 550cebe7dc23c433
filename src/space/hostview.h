/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SPACE_HOSTVIEW_H
#define VMSI_SPACE_HOSTVIEW_H

#include <stdbool.h>
#include <stdint.h>

#include <vmspace/list.h>

/* What the host's own records say of the calling process's mappings. */

/*
 * The mapping that holds an address, or the next one above it. Returns 0,
 * -EFAULT where there is none, or the errno of reading /proc. Slow: for what
 * cannot be known otherwise.
 */
int vmsi_host_view(uintptr_t address, struct vms_mapping_info *info);

/*
 * Whether MAP_STACK makes a mapping MADV_NOHUGEPAGE (Linux 6.7 on). Tried once.
 */
bool vmsi_stack_means_small_pages(void);

#endif
