/* SPDX-License-Identifier: MIT */
#ifndef VMSI_GROUP_DECIDE_KERNEL_REFUSES_H
#define VMSI_GROUP_DECIDE_KERNEL_REFUSES_H

#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Calls that every kernel refuses, whatever the process has mapped. They are no
 * requests for memory. Only the registers decide, which nobody can change any
 * more.
 */

/* Find the end of the addresses that programs have; UINT64_MAX: not known. */
uint64_t vmsi_addresses_end(void);

bool vmsi_kernel_refuses(const struct seccomp_data *call, uint64_t addresses_end);

#endif
