/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CODE_PERF_H
#define VMSI_CODE_PERF_H

#include "code/code.h"

/*
 * Append a line to the file from which perf takes names, which is made if it is not
 * there. Returns 0 or -errno. The pool's lock is held.
 */
int vmsi_perf_add(struct vms_code *code, uintptr_t run, size_t size,
		  const char *name);

/* Close the file, if it is open. It is not removed: perf reads it later. */
void vmsi_perf_close(struct vms_code *code);

#endif
