/* SPDX-License-Identifier: MIT */
#ifndef VMSI_GROUP_DECIDE_KERNEL_REFUSES_H
#define VMSI_GROUP_DECIDE_KERNEL_REFUSES_H

#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Calls that the kernel refuses whatever the process has mapped: they ask for no
 * memory. Only the registers decide, which nobody can change any more. A call that
 * some kernel might serve is not among them, though others refuse it.
 */

/* No address from here on is a program's. UINT64_MAX: it cannot be told. */
uint64_t vmsi_addresses_end(void);

bool vmsi_kernel_refuses(const struct seccomp_data *call, uint64_t addresses_end);

#endif
