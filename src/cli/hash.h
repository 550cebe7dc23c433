/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_HASH_H
#define VMSI_CLI_HASH_H

#include <stdint.h>

/* FNV-1a of texts one after the other: begin with this, and add each. */
#define VMSI_HASH_BEGIN UINT64_C(0xcbf29ce484222325)

static inline uint64_t vmsi_hash_add(uint64_t hash, const char *text)
{
	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	return hash;
}

#endif
