/* SPDX-License-Identifier: MIT */
#ifndef VMSPACE_POOL_VIEW_H
#define VMSPACE_POOL_VIEW_H

#include <stdint.h>

/* What the inline calls of vmspace/pool.h need to know of a pool. The library's own. */

/* What they read: the first member of every pool. */
struct vms_pool_view {
	uint64_t *words;      /* one a page */
	char *memory;
	uint64_t pages;       /* atomic; 0 in the child of a fork */
	uint64_t slot_mask;   /* 0: VMS_POOL_ADDRESSED */
	uint64_t page_mask;   /* 0: not so */
	unsigned page_shift;
	unsigned version_shift;
};

/* Parts of a word. */
#define VMS_POOL_WORD_LOCK UINT64_C(0xff)
#define VMS_POOL_WORD_ALONE UINT64_C(0xfe) /* so much and more: no reader may be here */
#define VMS_POOL_WORD_HOT UINT64_C(0x300)
#define VMS_POOL_WORD_RESIDENT UINT64_C(0x400)
#define VMS_POOL_WORD_READY (VMS_POOL_WORD_HOT | VMS_POOL_WORD_RESIDENT)
#define VMS_POOL_WORD_LOW (VMS_POOL_WORD_READY | VMS_POOL_WORD_LOCK)
#define VMS_POOL_WORD_SLOT_SHIFT 16

#ifdef __cplusplus
#define VMS_POOL_VIEW(pool) reinterpret_cast<const struct vms_pool_view *>(pool)
#else
#define VMS_POOL_VIEW(pool) ((const struct vms_pool_view *)(pool))
#endif

#endif
