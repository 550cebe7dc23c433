/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SWAP_CODEC_H
#define VMSI_SWAP_CODEC_H

#include <stdbool.h>

#include "swap/swap.h"

/* Compression. Its state is memory that the caller has, zero and aligned to 64 bytes. */

/* What is in force where a codec is asked for. */
enum vmsi_swap_codec vmsi_codec_available(enum vmsi_swap_codec wanted);

/* The bytes of state for pages of a size. */
size_t vmsi_codec_state_bytes(enum vmsi_swap_codec codec, int level, size_t page_bytes);

/* Compress a page into at most so many bytes. Returns how many; 0: it has no room there. */
size_t vmsi_codec_pack(enum vmsi_swap_codec codec, int level, void *state,
		       const void *page, size_t page_bytes, void *packed, size_t most);

/*
 * Restore a page from whatever bytes there are. false: they are none of that size. state
 * is for ZSTD only.
 */
bool vmsi_codec_restore(enum vmsi_swap_codec codec, void *state, size_t state_bytes,
			const void *packed, size_t bytes, void *page, size_t page_bytes);

#endif
