/* SPDX-License-Identifier: MIT */
#ifndef VMSI_STACKS_REPORT_H
#define VMSI_STACKS_REPORT_H

#include <stdint.h>

/*
 * If an address lies in a guard of some pool, tell on standard error which stack has
 * overflowed. pointer is that of the thread's stack. Called in a signal handler.
 */
void vmsi_stacks_report(uintptr_t address, uintptr_t pointer);

#endif
