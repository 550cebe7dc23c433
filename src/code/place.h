/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CODE_PLACE_H
#define VMSI_CODE_PLACE_H

#include "code/code.h"

/*
 * Reserve length bytes of addresses for a pool, in the space that the options name or
 * in one of its own, and within reach; set space, own_space and the start of run.
 * Returns 0 or -errno.
 */
int vmsi_code_reserve(struct vms_code *code, size_t length,
		      const struct vms_code_options *options);

/* Give the addresses, and all that is mapped there, back. Returns 0 or -errno. */
int vmsi_code_unreserve(struct vms_code *code, size_t length);

#endif
