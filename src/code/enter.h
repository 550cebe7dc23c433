/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CODE_ENTER_H
#define VMSI_CODE_ENTER_H

#include <errno.h>

#include "code/share.h"

/*
 * Lock a pool for a call that changes it. Returns 0; -EPERM: it is sealed; or what
 * prevents the child of a fork from having memory of its own. In each case the caller
 * leaves.
 */
static inline int vmsi_code_enter(struct vms_code *code)
{
	vmsi_lock_acquire(&code->lock);
	if (code->sealed)
		return -EPERM;
	return code->shared ? vmsi_code_unshare(code) : 0;
}

/* Unlock it. Debug builds check its invariants first. */
void vmsi_code_leave(struct vms_code *code);

#endif
