/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SPACE_HOSTVIEW_H
#define VMSI_SPACE_HOSTVIEW_H

#include <stdbool.h>
#include <stdint.h>

#include <vmspace/list.h>

/* What the host says about mappings of the process. */

/*
 * Read from /proc/self/smaps the mapping that holds an address, or the next one
 * above it. Returns 0, -EFAULT if there is none, or -errno of reading. Slow.
 */
int vmsi_host_view(uintptr_t address, struct vms_mapping_info *info);

/* Whether MAP_STACK means MADV_NOHUGEPAGE (Linux 6.7 on); tried once. */
bool vmsi_stack_means_small_pages(void);

#endif
