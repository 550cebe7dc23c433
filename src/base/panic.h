/* SPDX-License-Identifier: MIT */
#ifndef VMSI_BASE_PANIC_H
#define VMSI_BASE_PANIC_H

/*
 * End the program with "libvmspace: MESSAGE" on standard error. Allocation-free
 * and without stdio, so that it can be called from anywhere.
 */
_Noreturn void vmsi_panic(const char *message);

/*
 * An invariant that costs too much to check in release builds. The text names
 * the invariant by its number in docs/invariants.md.
 */
#ifdef VMSI_DEBUG
#define vmsi_debug_check(condition, text) \
	((condition) ? (void)0 : vmsi_panic(text))
#else
#define vmsi_debug_check(condition, text) ((void)sizeof(condition))
#endif

#endif
