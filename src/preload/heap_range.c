/* SPDX-License-Identifier: MIT */
#include "preload/heap_range.h"

/* Above all addresses of a program: with any length, none lies in it. */
#define NO_BASE ((uintptr_t)1 << 63)

/* Every call reads all of it, so it is to lie in one cache line. */
_Alignas(64) struct vmsi_interposer vmsi_interposer = {
	.base = NO_BASE,
	.threshold = VMSI_INTERPOSER_THRESHOLD,
};
