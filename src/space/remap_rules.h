/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SPACE_REMAP_RULES_H
#define VMSI_SPACE_REMAP_RULES_H

#include <stddef.h>
#include <stdint.h>

/*
 * Check the arguments of mremap(2) as Linux does before it looks for a mapping,
 * and round the lengths up to pages. Returns 0 or -EINVAL.
 */
int vmsi_remap_rules(uintptr_t old, size_t *old_length, size_t *new_length,
		     int flags, uintptr_t new_address);

#endif
