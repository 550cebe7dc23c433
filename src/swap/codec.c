/* SPDX-License-Identifier: MIT */
#include "swap/codec.h"

#include <string.h>

#include "base/align.h"

#ifdef VMSI_WITH_LZ4
#include <lz4.h>
#endif
#ifdef VMSI_WITH_ZSTD
#define ZSTD_STATIC_LINKING_ONLY
#include <zstd.h>
#endif

/* --- LZ4 ---------------------------------------------------------------------------- */

#ifdef VMSI_WITH_LZ4

static bool has_lz4(void)
{
	return true;
}

static size_t lz4_state_bytes(void)
{
	return (size_t)LZ4_sizeofState();
}

static size_t lz4_pack(int level, void *state, const void *page, size_t page_bytes,
		       void *packed, size_t most)
{
	const int bytes = LZ4_compress_fast_extState(state, page, packed, (int)page_bytes,
						     (int)most, level ? level : 1);

	return bytes > 0 ? (size_t)bytes : 0;
}

static bool lz4_restore(const void *packed, size_t bytes, void *page, size_t page_bytes)
{
	return LZ4_decompress_safe(packed, page, (int)bytes, (int)page_bytes) ==
		(int)page_bytes;
}

#else

static bool has_lz4(void)
{
	return false;
}

static size_t lz4_state_bytes(void)
{
	return 0;
}

static size_t lz4_pack(int level, void *state, const void *page, size_t page_bytes,
		       void *packed, size_t most)
{
	(void)level;
	(void)state;
	(void)page;
	(void)page_bytes;
	(void)packed;
	(void)most;
	return 0;
}

static bool lz4_restore(const void *packed, size_t bytes, void *page, size_t page_bytes)
{
	(void)packed;
	(void)bytes;
	(void)page;
	(void)page_bytes;
	return false;
}

#endif

/* --- ZSTD --------------------------------------------------------------------------- */

#ifdef VMSI_WITH_ZSTD

static bool has_zstd(void)
{
	return true;
}

static int zstd_level(int level)
{
	return level ? level : 1;
}

/*
 * To make a context costs more than a page does, so a state keeps one of each, which are
 * made when they are used first: memory of the state is zero until then.
 *
 *   state:  | struct zstd_state | that which compresses | that which restores |
 */
struct zstd_state {
	ZSTD_CCtx *pack;
	ZSTD_DCtx *restore;
};

static size_t pack_bytes(int level, size_t page_bytes)
{
	const ZSTD_compressionParameters parameters = ZSTD_getCParams(zstd_level(level),
								      page_bytes, 0);

	return vmsi_align_up(ZSTD_estimateCCtxSize_usingCParams(parameters), 64);
}

static size_t restore_bytes(void)
{
	return vmsi_align_up(ZSTD_estimateDCtxSize(), 64);
}

static size_t zstd_state_bytes(int level, size_t page_bytes)
{
	return sizeof(struct zstd_state) + pack_bytes(level, page_bytes) + restore_bytes();
}

static size_t zstd_pack(int level, void *memory, const void *page, size_t page_bytes,
			void *packed, size_t most)
{
	struct zstd_state *state = memory;
	size_t bytes;

	if (!state->pack)
		state->pack = ZSTD_initStaticCCtx(state + 1, pack_bytes(level, page_bytes));
	if (!state->pack)
		return 0;
	bytes = ZSTD_compressCCtx(state->pack, packed, most, page, page_bytes,
				  zstd_level(level));
	return ZSTD_isError(bytes) ? 0 : bytes;
}

static bool zstd_restore(void *memory, size_t state_bytes, const void *packed, size_t bytes,
			 void *page, size_t page_bytes)
{
	struct zstd_state *state = memory;

	if (!state->restore)
		state->restore = ZSTD_initStaticDCtx((char *)memory + state_bytes -
						     restore_bytes(), restore_bytes());
	return state->restore &&
		ZSTD_decompressDCtx(state->restore, page, page_bytes, packed, bytes) ==
		page_bytes;
}

#else

static bool has_zstd(void)
{
	return false;
}

static size_t zstd_state_bytes(int level, size_t page_bytes)
{
	(void)level;
	(void)page_bytes;
	return 0;
}

static size_t zstd_pack(int level, void *state, const void *page, size_t page_bytes,
			void *packed, size_t most)
{
	(void)level;
	(void)state;
	(void)page;
	(void)page_bytes;
	(void)packed;
	(void)most;
	return 0;
}

static bool zstd_restore(void *state, size_t state_bytes, const void *packed, size_t bytes,
			 void *page, size_t page_bytes)
{
	(void)state;
	(void)state_bytes;
	(void)packed;
	(void)bytes;
	(void)page;
	(void)page_bytes;
	return false;
}

#endif

/* --- all ---------------------------------------------------------------------------- */

enum vmsi_swap_codec vmsi_codec_available(enum vmsi_swap_codec wanted)
{
	switch (wanted) {
	case VMSI_SWAP_LZ4:
		return has_lz4() ? VMSI_SWAP_LZ4 : VMSI_SWAP_RAW;
	case VMSI_SWAP_ZSTD:
		return has_zstd() ? VMSI_SWAP_ZSTD : VMSI_SWAP_RAW;
	case VMSI_SWAP_RAW:
		break;
	}
	return VMSI_SWAP_RAW;
}

size_t vmsi_codec_state_bytes(enum vmsi_swap_codec codec, int level, size_t page_bytes)
{
	switch (codec) {
	case VMSI_SWAP_LZ4:
		return lz4_state_bytes();
	case VMSI_SWAP_ZSTD:
		return zstd_state_bytes(level, page_bytes);
	case VMSI_SWAP_RAW:
		break;
	}
	return 0;
}

size_t vmsi_codec_pack(enum vmsi_swap_codec codec, int level, void *state,
		       const void *page, size_t page_bytes, void *packed, size_t most)
{
	switch (codec) {
	case VMSI_SWAP_LZ4:
		return lz4_pack(level, state, page, page_bytes, packed, most);
	case VMSI_SWAP_ZSTD:
		return zstd_pack(level, state, page, page_bytes, packed, most);
	case VMSI_SWAP_RAW:
		break;
	}
	return 0;
}

bool vmsi_codec_restore(enum vmsi_swap_codec codec, void *state, size_t state_bytes,
			const void *packed, size_t bytes, void *page, size_t page_bytes)
{
	switch (codec) {
	case VMSI_SWAP_LZ4:
		return lz4_restore(packed, bytes, page, page_bytes);
	case VMSI_SWAP_ZSTD:
		return zstd_restore(state, state_bytes, packed, bytes, page, page_bytes);
	case VMSI_SWAP_RAW:
		break;
	}
	if (bytes != page_bytes)
		return false;
	memcpy(page, packed, bytes);
	return true;
}
