/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CODE_MODES_H
#define VMSI_CODE_MODES_H

#include "code/code.h"

/*
 * Find by trying whether the host lets a pool have its mode, and for VMS_CODE_ANY
 * which one; set mode, delta, step, and the descriptors. The pool's addresses are
 * reserved. Returns 0; -errno, and code->problem says what was refused.
 */
int vmsi_code_choose_mode(struct vms_code *code, enum vms_code_mode asked);

#endif
