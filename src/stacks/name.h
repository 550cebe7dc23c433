/* SPDX-License-Identifier: MIT */
#ifndef VMSI_STACKS_NAME_H
#define VMSI_STACKS_NAME_H

#include "stacks/stacks.h"

/* Names of stacks. Where two threads set one at once, it may be a part of each. */

/* Copy a name, cut off at VMS_STACK_NAME_MAX bytes; NULL: none. */
void vmsi_stack_set_name(struct vms_stacks *stacks, size_t number,
			 const char *name);

/* Take the name away, where there is one. */
void vmsi_stack_clear_name(struct vms_stacks *stacks, size_t number);

/* Read the name into VMS_STACK_NAME_MAX + 1 bytes; in signal handlers, too. */
void vmsi_stack_get_name(const struct vms_stacks *stacks, size_t number,
			 char *name);

#endif
