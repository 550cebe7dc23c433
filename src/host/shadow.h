/* SPDX-License-Identifier: MIT */
#ifndef VMSI_HOST_SHADOW_H
#define VMSI_HOST_SHADOW_H

#include <stddef.h>
#include <stdint.h>

/* Two entries of the table vmsi_host. */
long vmsi_raw_map_shadow_stack(uintptr_t address, size_t length, unsigned flags);
long vmsi_raw_shadow_stack_status(uint64_t *features);

#endif
