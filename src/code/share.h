/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CODE_SHARE_H
#define VMSI_CODE_SHARE_H

#include "code/code.h"

/* What a pool shares with the parent, in the child of a fork. */

/* In the child: note it, and that it has no writable views. */
void vmsi_code_note_shared(struct vms_code *code);

/*
 * Give the pool memory of its own, at the same addresses. Returns 0, or -errno: then
 * some of it may be shared still, and the next call goes on.
 */
int vmsi_code_unshare(struct vms_code *code);

#endif
