/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CODE_NAMES_H
#define VMSI_CODE_NAMES_H

#include "code/code.h"

/* Names of blocks, for perf and gdb. The pool's lock is held. */

/* Forget the name of the block that runs at an address, if it has one. */
void vmsi_names_forget(struct vms_code *code, uintptr_t run);

/* Forget all and give their memory back. */
void vmsi_names_release(struct vms_code *code);

#endif
