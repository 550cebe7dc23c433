/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CODE_FORK_H
#define VMSI_CODE_FORK_H

#include "code/code.h"

/* The list of pools, which fork(2) needs; see fork.c. */

void vmsi_code_register(struct vms_code *code);
void vmsi_code_unregister(struct vms_code *code);

/* Register the fork handlers; a constructor, that later calls do nothing after. */
void vmsi_code_handle_fork(void);

#endif
