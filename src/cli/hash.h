/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_HASH_H
#define VMSI_CLI_HASH_H

#include <stdint.h>
#include <string.h>

/* FNV-1a of texts one after the other: begin with this, and add each. */
#define VMSI_HASH_BEGIN UINT64_C(0xcbf29ce484222325)

static inline uint64_t vmsi_hash_add_bytes(uint64_t hash, const char *bytes,
					   const char *end)
{
	for (; bytes < end; bytes++)
		hash = (hash ^ (unsigned char)*bytes) * UINT64_C(0x100000001b3);
	return hash;
}

static inline uint64_t vmsi_hash_add(uint64_t hash, const char *text)
{
	return vmsi_hash_add_bytes(hash, text, text + strlen(text));
}

#endif
