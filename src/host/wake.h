/* SPDX-License-Identifier: MIT */
#ifndef VMSI_HOST_WAKE_H
#define VMSI_HOST_WAKE_H

#include <stdint.h>

/* The entries of vmsi_host by which threads wait for others and wake them. */
long vmsi_host_futex_wait(const void *word, uint32_t value, uint64_t nanoseconds);
long vmsi_host_futex_wake(const void *word, int count);
long vmsi_host_eventfd(void);
long vmsi_host_wait_readable(int first, int second);
uint64_t vmsi_host_clock(void);

#endif
