/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <malloc.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "failing/parts.h"

/*
 * The calls by which a program allocates. Each counts, fails, or goes on to the next
 * definition. What overflows is left to that, which refuses it in any run.
 */

static void *fail(void)
{
	errno = ENOMEM;
	return NULL;
}

VMSI_EXPORTED void *malloc(size_t size)
{
	const struct vmsi_failing_next *next = vmsi_failing_next();
	void *block;

	if (!next)
		return vmsi_failing_early_alloc(1, size);
	if (vmsi_failing_fails(VMSI_FAILING_MALLOC, size))
		return fail();
	vmsi_failing_enter();
	block = next->malloc(size);
	vmsi_failing_leave();
	return block;
}

VMSI_EXPORTED void *calloc(size_t count, size_t size)
{
	const struct vmsi_failing_next *next = vmsi_failing_next();
	size_t length;
	const bool overflows = __builtin_mul_overflow(count, size, &length);
	void *block;

	if (!next)
		return overflows ? fail() : vmsi_failing_early_alloc(1, length);
	if (!overflows && vmsi_failing_fails(VMSI_FAILING_CALLOC, length))
		return fail();
	vmsi_failing_enter();
	block = next->calloc(count, size);
	vmsi_failing_leave();
	return block;
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Move an early block to one of the next malloc. */
static void *move_early(const struct vmsi_failing_next *next, void *block,
			size_t size)
{
	void *moved = next ? next->malloc(size) :
			     vmsi_failing_early_alloc(1, size);

	if (moved && block)
		memcpy(moved, block,
		       smaller(size, vmsi_failing_early_size(block)));
	return moved;
}

/* For 0 bytes realloc frees, and then it is no allocation. */
static bool fails_to_resize(enum vmsi_failing_function function, void *block,
			    size_t size)
{
	return (!block || size > 0) && vmsi_failing_fails(function, size);
}

VMSI_EXPORTED void *realloc(void *block, size_t size)
{
	const struct vmsi_failing_next *next = vmsi_failing_next();
	void *moved;

	if (!next)
		return move_early(NULL, block, size);
	if (fails_to_resize(VMSI_FAILING_REALLOC, block, size))
		return fail();
	vmsi_failing_enter();
	moved = vmsi_failing_is_early(block) ? move_early(next, block, size) :
					       next->realloc(block, size);
	vmsi_failing_leave();
	return moved;
}

/* Not every malloc has one; then libc's is next, which calls realloc by its name. */
VMSI_EXPORTED void *reallocarray(void *block, size_t count, size_t size)
{
	const struct vmsi_failing_next *next = vmsi_failing_next();
	void *moved;
	size_t length;

	if (__builtin_mul_overflow(count, size, &length))
		return fail();
	if (!next || vmsi_failing_is_early(block))
		return realloc(block, length);
	if (fails_to_resize(VMSI_FAILING_REALLOCARRAY, block, length))
		return fail();
	vmsi_failing_enter();
	moved = next->reallocarray(block, count, size);
	vmsi_failing_leave();
	return moved;
}

VMSI_EXPORTED void *aligned_alloc(size_t alignment, size_t size)
{
	const struct vmsi_failing_next *next = vmsi_failing_next();
	void *block;

	if (!next)
		return vmsi_failing_early_alloc(alignment, size);
	if (vmsi_failing_fails(VMSI_FAILING_ALIGNED_ALLOC, size))
		return fail();
	vmsi_failing_enter();
	block = next->aligned_alloc(alignment, size);
	vmsi_failing_leave();
	return block;
}

VMSI_EXPORTED void *memalign(size_t alignment, size_t size)
{
	const struct vmsi_failing_next *next = vmsi_failing_next();
	void *block;

	if (!next)
		return vmsi_failing_early_alloc(alignment, size);
	if (vmsi_failing_fails(VMSI_FAILING_MEMALIGN, size))
		return fail();
	vmsi_failing_enter();
	block = next->memalign(alignment, size);
	vmsi_failing_leave();
	return block;
}

static int early_memalign(void **result, size_t alignment, size_t size)
{
	void *block = vmsi_failing_early_alloc(alignment, size);

	if (!block)
		return ENOMEM;
	*result = block;
	return 0;
}

/* It tells by its result, and leaves errno and *result alone. */
VMSI_EXPORTED int posix_memalign(void **result, size_t alignment, size_t size)
{
	const struct vmsi_failing_next *next = vmsi_failing_next();
	int error;

	if (!next)
		return early_memalign(result, alignment, size);
	if (vmsi_failing_fails(VMSI_FAILING_POSIX_MEMALIGN, size))
		return ENOMEM;
	vmsi_failing_enter();
	error = next->posix_memalign(result, alignment, size);
	vmsi_failing_leave();
	return error;
}

static size_t page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

VMSI_EXPORTED void *valloc(size_t size)
{
	const struct vmsi_failing_next *next = vmsi_failing_next();
	void *block;

	if (!next)
		return vmsi_failing_early_alloc(page_size(), size);
	if (vmsi_failing_fails(VMSI_FAILING_VALLOC, size))
		return fail();
	vmsi_failing_enter();
	block = next->valloc(size);
	vmsi_failing_leave();
	return block;
}

VMSI_EXPORTED void *pvalloc(size_t size)
{
	const struct vmsi_failing_next *next = vmsi_failing_next();
	void *block;

	if (!next)
		return vmsi_failing_early_alloc(page_size(), size);
	if (vmsi_failing_fails(VMSI_FAILING_PVALLOC, size))
		return fail();
	vmsi_failing_enter();
	block = next->pvalloc(size);
	vmsi_failing_leave();
	return block;
}

/* --- of blocks ----------------------------------------------------------------------- */

VMSI_EXPORTED void free(void *block)
{
	const struct vmsi_failing_next *next;

	if (!block || vmsi_failing_is_early(block))
		return;
	next = vmsi_failing_next();
	if (next)
		next->free(block);
}

VMSI_EXPORTED size_t malloc_usable_size(void *block)
{
	const struct vmsi_failing_next *next;

	if (!block)
		return 0;
	if (vmsi_failing_is_early(block))
		return vmsi_failing_early_size(block);
	next = vmsi_failing_next();
	return next && next->malloc_usable_size ?
		next->malloc_usable_size(block) : 0;
}
