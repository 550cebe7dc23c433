/* SPDX-License-Identifier: MIT */
#include <malloc.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/align.h"
#include "preload/heap_large.h"
#include "preload/heap_next.h"
#include "preload/heap_range.h"
#include "preload/marks.h"

/*
 * Calls of jemalloc and of C23 that take a block: one that malloc has given may come
 * back by them. If the next malloc has no such call, the usual call takes its place.
 */

/* The flags of jemalloc's calls. */
#define ALIGNMENT_SHIFT 0x3f /* the logarithm of the alignment; 0: none */
#define ZERO 0x40            /* what is new is zero */

enum call {
	DALLOCX, SDALLOCX, SALLOCX, RALLOCX, XALLOCX, FREE_SIZED,
	FREE_ALIGNED_SIZED, CALLS,
};

/* The next definition of a call, to be cast to its type; NULL: there is none. */
static vmsi_function *find(enum call call)
{
	static const char *const names[CALLS] = {
		"dallocx", "sdallocx", "sallocx", "rallocx", "xallocx",
		"free_sized", "free_aligned_sized",
	};
	static vmsi_function *found[CALLS];
	vmsi_function *next = VMSI_RELAXED(found[call]);

	if (!next) {
		next = vmsi_interposer_next_function(names[call]);
		__atomic_store_n(&found[call], next, __ATOMIC_RELAXED);
	}
	return next;
}

VMSI_EXPORTED void dallocx(void *block, int flags);
VMSI_EXPORTED void sdallocx(void *block, size_t size, int flags);
VMSI_EXPORTED size_t sallocx(const void *block, int flags);
VMSI_EXPORTED void *rallocx(void *block, size_t size, int flags);
VMSI_EXPORTED size_t xallocx(void *block, size_t size, size_t extra, int flags);
VMSI_EXPORTED void free_sized(void *block, size_t size);
VMSI_EXPORTED void free_aligned_sized(void *block, size_t alignment,
				      size_t size);

/*
 *	if (the block is the heap's)
 *		the heap
 *	else if (the next malloc has the call)
 *		the call
 *	else
 *		the usual call
 */

void dallocx(void *block, int flags)
{
	typedef void call(void *block, int flags);
	call *next = vmsi_interposer_has(block) ? NULL : (call *)find(DALLOCX);

	if (next)
		next(block, flags);
	else
		free(block);
}

void sdallocx(void *block, size_t size, int flags)
{
	typedef void call(void *block, size_t size, int flags);
	call *next = vmsi_interposer_has(block) ? NULL : (call *)find(SDALLOCX);

	if (next)
		next(block, size, flags);
	else
		free(block);
}

void free_sized(void *block, size_t size)
{
	typedef void call(void *block, size_t size);
	call *next =
		vmsi_interposer_has(block) ? NULL : (call *)find(FREE_SIZED);

	if (next)
		next(block, size);
	else
		free(block);
}

void free_aligned_sized(void *block, size_t alignment, size_t size)
{
	typedef void call(void *block, size_t alignment, size_t size);
	call *next = vmsi_interposer_has(block) ? NULL :
		(call *)find(FREE_ALIGNED_SIZED);

	if (next)
		next(block, alignment, size);
	else
		free(block);
}

size_t sallocx(const void *block, int flags)
{
	typedef size_t call(const void *block, int flags);
	call *next = vmsi_interposer_has(block) ? NULL : (call *)find(SALLOCX);

	return next ? next(block, flags) :
		malloc_usable_size((void *)(uintptr_t)block);
}

/* Resizes in place only, and returns the size that the block has then. */
size_t xallocx(void *block, size_t size, size_t extra, int flags)
{
	typedef size_t call(void *block, size_t size, size_t extra, int flags);
	call *next = vmsi_interposer_has(block) ? NULL : (call *)find(XALLOCX);

	return next ? next(block, size, extra, flags) :
		malloc_usable_size(block);
}

/* The pages of a block may move to any slot, so an alignment needs a new block. */
static void *resize_aligned(void *block, size_t alignment, size_t size)
{
	void *moved = vmsi_interposer_aligned_alloc(alignment, size);

	if (!moved)
		moved = vmsi_interposer_next.memalign(alignment, size);
	if (!moved)
		return NULL;
	memcpy(moved, block,
	       vmsi_min(size, vmsi_interposer_usable_size(block)));
	vmsi_interposer_free(block);
	return moved;
}

static void *resize_own(void *block, size_t size, int flags)
{
	size_t alignment = (size_t)1 << (flags & ALIGNMENT_SHIFT);
	size_t old_size = vmsi_interposer_usable_size(block);
	char *resized = alignment > _Alignof(max_align_t) ?
		resize_aligned(block, alignment, size) :
		vmsi_interposer_realloc(block, size);

	if (resized && (flags & ZERO) && size > old_size)
		memset(resized + old_size, 0, size - old_size);
	return resized;
}

void *rallocx(void *block, size_t size, int flags)
{
	typedef void *call(void *block, size_t size, int flags);
	call *next;

	if (vmsi_interposer_has(block))
		return resize_own(block, size, flags);
	next = (call *)find(RALLOCX);
	return next ? next(block, size, flags) : realloc(block, size);
}
