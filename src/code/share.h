/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CODE_SHARE_H
#define VMSI_CODE_SHARE_H

#include "code/code.h"

/* What a pool shares with the parent, in the child of a fork. */

/*
 * Before a fork: with VMS_CODE_COPY_AT_FORK make the child's copy. It is the parent's
 * to drop after the fork. A refusal leaves no copy.
 */
void vmsi_code_copy_for_child(struct vms_code *code);
void vmsi_code_drop_copy(struct vms_code *code);

/*
 * In the child: note what is shared, and that there are no writable views; map the copy
 * that was made for it.
 */
void vmsi_code_note_shared(struct vms_code *code);

/*
 * Give the pool memory of its own, at the same addresses. Returns 0, or -errno: then
 * some of it may be shared still, and the next call goes on.
 */
int vmsi_code_unshare(struct vms_code *code);

#endif
