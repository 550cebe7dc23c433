/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <malloc.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>
#include <vmspace/heap.h>

#include "base/align.h"
#include "preload/heap_again.h"
#include "preload/heap_large.h"
#include "preload/heap_next.h"
#include "preload/heap_open.h"
#include "preload/heap_range.h"
#include "preload/heap_yield.h"
#include "preload/marks.h"

/*
 * libvmspace-heap.so, the interposer: it gives a program's large blocks to a
 * vms_heap and leaves the small ones to the program's own malloc, whichever that
 * is (vmspace-heap(7)).
 *
 *   program --> malloc, free, ... ----- small -----> the next malloc
 *               (heap_malloc.c,   '---- large -----> heap_large.c --> vms_heap
 *                heap_new.c)
 *
 * The next malloc, the settings and the heap are found by the first call that
 * needs them, because calls come before any constructor of the library has run.
 *
 * This file has the malloc family. For a small block, a function here makes one
 * comparison, a call of the next malloc and another comparison.
 */

#define IS_THERE(block) __builtin_expect((block) != NULL, 1)

VMSI_EXPORTED void *malloc(size_t size)
{
	void *block;

	if (vmsi_interposer_wants(size))
		return vmsi_interposer_malloc(size);
	block = VMSI_RELAXED(vmsi_interposer_next.malloc)(size);
	return IS_THERE(block) ? block : vmsi_interposer_malloc_again(size);
}

VMSI_EXPORTED void free(void *block)
{
	if (vmsi_interposer_has(block))
		vmsi_interposer_free(block);
	else
		VMSI_RELAXED(vmsi_interposer_next.free)(block);
}

/* If the product overflows, the next malloc refuses it. */
VMSI_EXPORTED void *calloc(size_t count, size_t size)
{
	size_t length;
	void *block;

	if (vmsi_multiply(count, size, &length) &&
	    vmsi_interposer_wants(length))
		return vmsi_interposer_calloc(count, size);
	block = VMSI_RELAXED(vmsi_interposer_next.calloc)(count, size);
	return IS_THERE(block) ? block
			       : vmsi_interposer_calloc_again(count, size);
}

VMSI_EXPORTED void *realloc(void *block, size_t size)
{
	void *resized;

	if (vmsi_interposer_has(block) || vmsi_interposer_wants(size))
		return vmsi_interposer_realloc(block, size);
	resized = VMSI_RELAXED(vmsi_interposer_next.realloc)(block, size);
	return IS_THERE(resized) ? resized :
		vmsi_interposer_realloc_again(block, size);
}

VMSI_EXPORTED void *reallocarray(void *block, size_t count, size_t size)
{
	size_t length;

	if (vmsi_multiply(count, size, &length))
		return realloc(block, length);
	errno = ENOMEM;
	return NULL;
}

VMSI_EXPORTED size_t malloc_usable_size(void *block)
{
	if (vmsi_interposer_has(block))
		return vmsi_interposer_usable_size(block);
	return VMSI_RELAXED(vmsi_interposer_next.malloc_usable_size)(block);
}

/* libc has taken it away, but old programs have it. */
VMSI_EXPORTED void cfree(void *block);

VMSI_EXPORTED void cfree(void *block)
{
	free(block);
}

VMSI_EXPORTED void *memalign(size_t alignment, size_t size)
{
	void *block = vmsi_interposer_wants(size) ?
		vmsi_interposer_aligned_alloc(alignment, size) : NULL;

	if (!block)
		block = VMSI_RELAXED(vmsi_interposer_next.memalign)(alignment,
								    size);
	if (!block && vmsi_interposer_yields(size))
		block = vmsi_interposer_next.memalign(alignment, size);
	return block;
}

VMSI_EXPORTED void *aligned_alloc(size_t alignment, size_t size)
{
	void *block = vmsi_interposer_wants(size) ?
		vmsi_interposer_aligned_alloc(alignment, size) : NULL;

	if (!block)
		block = VMSI_RELAXED(vmsi_interposer_next.aligned_alloc)(
			alignment, size);
	if (!block && vmsi_interposer_yields(size))
		block = vmsi_interposer_next.aligned_alloc(alignment, size);
	return block;
}

/* The next malloc refuses an alignment that is not allowed. */
VMSI_EXPORTED int posix_memalign(void **result, size_t alignment, size_t size)
{
	void *block = vmsi_interposer_wants(size) &&
		alignment % sizeof(void *) == 0 ?
		vmsi_interposer_aligned_alloc(alignment, size) : NULL;

	int error;

	if (block) {
		*result = block;
		return 0;
	}
	error = VMSI_RELAXED(vmsi_interposer_next.posix_memalign)(
		result, alignment, size);
	if (error == ENOMEM && vmsi_interposer_yields(size))
		error = vmsi_interposer_next.posix_memalign(result, alignment,
							    size);
	return error;
}

VMSI_EXPORTED void *valloc(size_t size)
{
	void *block = vmsi_interposer_wants(size)
			      ? vmsi_interposer_aligned_alloc(
					(size_t)getpagesize(), size)
			      : NULL;

	if (!block)
		block = VMSI_RELAXED(vmsi_interposer_next.valloc)(size);
	if (!block && vmsi_interposer_yields(size))
		block = vmsi_interposer_next.valloc(size);
	return block;
}

/* Whole pages. If the next malloc has no pvalloc, its memalign serves. */
VMSI_EXPORTED void *pvalloc(size_t size)
{
	void *(*next)(size_t size) = VMSI_RELAXED(vmsi_interposer_next.pvalloc);
	size_t page = (size_t)getpagesize();
	size_t length;
	void *block;

	if (next && !vmsi_interposer_wants(size)) {
		block = next(size);
		return block || !vmsi_interposer_yields(size) ? block
							      : next(size);
	}
	if (vmsi_align_up_checked(size, page, &length))
		return memalign(page, length);
	errno = ENOMEM;
	return NULL;
}

/* The heap gives back all that it retains. */
VMSI_EXPORTED int malloc_trim(size_t pad)
{
	static int (*next)(size_t pad);
	int (*trim)(size_t pad) = VMSI_RELAXED(next);
	vms_heap *heap =
		vmsi_interposer_if_open() ? vmsi_interposer_get() : NULL;
	int error = errno;
	int released;

	vmsi_interposer_enter();
	released = heap && vms_heap_collect(heap, VMS_HEAP_COLLECT_ALL) > 0;
	vmsi_interposer_leave();
	errno = error;
	if (!trim) {
		trim = (int (*)(size_t))vmsi_interposer_next_function(
			"malloc_trim");
		__atomic_store_n(&next, trim, __ATOMIC_RELAXED);
	}
	return (trim && trim(pad)) || released;
}
