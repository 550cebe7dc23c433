/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CODE_TRAP_H
#define VMSI_CODE_TRAP_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Instructions that trap: a jump to any of them is SIGTRAP. */

/* So many bytes of them are kept to be copied. */
#define VMSI_TRAP_BYTES ((size_t)64 << 10)
extern const unsigned char vmsi_traps[VMSI_TRAP_BYTES];

#if defined(__x86_64__)

static inline void vmsi_fill_with_traps(void *bytes, size_t length)
{
	const int int3 = 0xcc;

	memset(bytes, int3, length);
}

#elif defined(__aarch64__)

/* Instructions have the same byte order on all of these machines. */
static inline void vmsi_fill_with_traps(void *bytes, size_t length)
{
	static const unsigned char brk[4] = { 0x00, 0x00, 0x20, 0xd4 };

	for (size_t i = 0; i < length; i += sizeof(brk))
		memcpy((char *)bytes + i, brk, sizeof(brk));
}

#else
#error "no instruction that traps is known for this processor"
#endif

#endif
