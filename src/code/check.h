/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CODE_CHECK_H
#define VMSI_CODE_CHECK_H

#include "code/code.h"

/*
 * The invariant (docs/invariants.md) that a pool breaks; NULL: none. Its lock is held,
 * or nobody else uses it. C1, of the bytes themselves, is checked only with all.
 */
enum vmsi_code_checks { VMSI_CHECK_RECORDS, VMSI_CHECK_ALL };
const char *vmsi_code_check(struct vms_code *code, enum vmsi_code_checks checks);

#endif
