/* SPDX-License-Identifier: MIT */
#include "code/trap.h"

/* A constant, so that nobody has to fill it, and nobody can change it. */

#if defined(__x86_64__)
#define TRAPS_4 0xcc, 0xcc, 0xcc, 0xcc
#else
#define TRAPS_4 0x00, 0x00, 0x20, 0xd4
#endif

#define TRAPS_16 TRAPS_4, TRAPS_4, TRAPS_4, TRAPS_4
#define TRAPS_64 TRAPS_16, TRAPS_16, TRAPS_16, TRAPS_16
#define TRAPS_256 TRAPS_64, TRAPS_64, TRAPS_64, TRAPS_64
#define TRAPS_1K TRAPS_256, TRAPS_256, TRAPS_256, TRAPS_256
#define TRAPS_4K TRAPS_1K, TRAPS_1K, TRAPS_1K, TRAPS_1K
#define TRAPS_16K TRAPS_4K, TRAPS_4K, TRAPS_4K, TRAPS_4K

const unsigned char vmsi_traps[VMSI_TRAP_BYTES] = {
	TRAPS_16K, TRAPS_16K, TRAPS_16K, TRAPS_16K,
};
