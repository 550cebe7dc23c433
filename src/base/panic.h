/* SPDX-License-Identifier: MIT */
#ifndef VMSI_BASE_PANIC_H
#define VMSI_BASE_PANIC_H

/*
 * End the program with "libvmspace: MESSAGE" on standard error. It uses neither
 * malloc nor stdio, so that it can be called from anywhere.
 */
_Noreturn void vmsi_panic(const char *message);

/*
 * Check in debug builds only what would cost release builds too much. The text
 * begins with the invariant's number in docs/invariants.md.
 */
#ifdef VMSI_DEBUG
#define vmsi_debug_check(condition, text) \
	((condition) ? (void)0 : vmsi_panic(text))
#else
#define vmsi_debug_check(condition, text) ((void)sizeof(condition))
#endif

#endif
