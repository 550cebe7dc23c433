/* SPDX-License-Identifier: MIT */
#include "preload/heap_next.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/align.h"
#include "preload/heap_early.h"
#include "preload/heap_fork.h"
#include "preload/heap_settings.h"
#include "preload/marks.h"

/*
 * The next malloc. The first call of any of its functions looks all of them up. No
 * lock is taken: threads that look up at once find the same.
 */

/* This thread looks up at this moment; dlsym may call malloc then. */
static __thread bool looking __attribute__((tls_model("initial-exec")));

static void look_up(void);

/*
 * What stands for the next malloc before the look-up. A call that comes from within
 * the look-up gets early memory.
 */
static void *first_malloc(size_t size)
{
	if (looking)
		return vmsi_interposer_early_alloc(1, size);
	look_up();
	return vmsi_interposer_next.malloc(size);
}

static void *first_calloc(size_t count, size_t size)
{
	size_t length;

	if (!looking) {
		look_up();
		return vmsi_interposer_next.calloc(count, size);
	}
	if (vmsi_multiply(count, size, &length))
		return vmsi_interposer_early_alloc(1, length);
	errno = ENOMEM;
	return NULL;
}

static void first_free(void *block)
{
	if (!block || looking || vmsi_interposer_is_early(block))
		return;
	look_up();
	vmsi_interposer_next.free(block);
}

static void *first_realloc(void *block, size_t size)
{
	if (!looking) {
		look_up();
		return vmsi_interposer_next.realloc(block, size);
	}

	void *moved = vmsi_interposer_early_alloc(1, size);

	if (moved && block)
		memcpy(moved, block,
		       vmsi_min(size, vmsi_interposer_early_size(block)));
	return moved;
}

static void *first_memalign(size_t alignment, size_t size)
{
	if (looking)
		return vmsi_interposer_early_alloc(alignment, size);
	look_up();
	return vmsi_interposer_next.memalign(alignment, size);
}

static void *first_aligned_alloc(size_t alignment, size_t size)
{
	if (looking)
		return vmsi_interposer_early_alloc(alignment, size);
	look_up();
	return vmsi_interposer_next.aligned_alloc(alignment, size);
}

static int first_posix_memalign(void **result, size_t alignment, size_t size)
{
	if (!looking) {
		look_up();
		return vmsi_interposer_next.posix_memalign(result, alignment,
							   size);
	}

	void *block = vmsi_interposer_early_alloc(alignment, size);

	if (!block)
		return ENOMEM;
	*result = block;
	return 0;
}

static void *first_valloc(size_t size)
{
	if (looking)
		return vmsi_interposer_early_alloc(4096, size);
	look_up();
	return vmsi_interposer_next.valloc(size);
}

static size_t first_usable_size(void *block)
{
	if (!block)
		return 0;
	if (looking || vmsi_interposer_is_early(block))
		return vmsi_interposer_early_size(block);
	look_up();
	return vmsi_interposer_next.malloc_usable_size(block);
}

/* malloc and free are in one cache line. */
_Alignas(64) struct vmsi_interposer_next vmsi_interposer_next = {
	.malloc = first_malloc,
	.free = first_free,
	.calloc = first_calloc,
	.realloc = first_realloc,
	.memalign = first_memalign,
	.aligned_alloc = first_aligned_alloc,
	.posix_memalign = first_posix_memalign,
	.valloc = first_valloc,
	.malloc_usable_size = first_usable_size,
};

/* What was found, whatever stands before it in use. */
static struct vmsi_interposer_next found;

/* What stands for the next malloc if the look-up has handed out early blocks. */
static void late_free(void *block)
{
	if (!vmsi_interposer_is_early(block))
		found.free(block);
}

static void *late_realloc(void *block, size_t size)
{
	if (!vmsi_interposer_is_early(block))
		return found.realloc(block, size);

	void *moved = found.malloc(size);

	if (moved)
		memcpy(moved, block,
		       vmsi_min(size, vmsi_interposer_early_size(block)));
	return moved;
}

static size_t late_usable_size(void *block)
{
	return vmsi_interposer_is_early(block)
		       ? vmsi_interposer_early_size(block)
		       : found.malloc_usable_size(block);
}

/*
 * dlsym looks after the library that it is called from, which it knows by its
 * return address: so it must not be left by a jump to a caller elsewhere.
 */
vmsi_function *vmsi_interposer_next_function(const char *name)
{
	void *symbol = dlsym(RTLD_NEXT, name);
	vmsi_function *function;

	__asm__ volatile("" : "+r"(symbol));
	memcpy(&function, &symbol, sizeof(function));
	return function;
}

vmsi_function *vmsi_interposer_first_function(const char *name)
{
	void *symbol = dlsym(RTLD_DEFAULT, name);
	vmsi_function *function;

	__asm__ volatile("" : "+r"(symbol));
	memcpy(&function, &symbol, sizeof(function));
	return function;
}

/* Where the object begins that holds a function; NULL: that is not known. */
static const void *object_of(vmsi_function *function)
{
	Dl_info info;
	void *address;

	memcpy(&address, &function, sizeof(address));
	return dladdr(address, &info) ? info.dli_fbase : NULL;
}

#define FIND(entry) \
	(found.entry = \
		(__typeof__(found.entry))vmsi_interposer_next_function(#entry))
#define PUBLISH(entry, function)                                \
	__atomic_store_n(&vmsi_interposer_next.entry, function, \
			 __ATOMIC_SEQ_CST)

/*
 * Some mallocs lack the rarer functions, and what is found then is libc's, for
 * libc's blocks.
 */
bool vmsi_interposer_belongs(vmsi_function *function)
{
	if (!found.malloc)
		look_up();
	return function &&
		object_of(function) == object_of((vmsi_function *)found.malloc);
}

static void find(void)
{
	FIND(malloc);
	FIND(free);
	FIND(calloc);
	FIND(realloc);
	FIND(memalign);
	FIND(aligned_alloc);
	FIND(posix_memalign);
	FIND(valloc);
	FIND(malloc_usable_size);
	found.knows_sizes = vmsi_interposer_belongs(
		(vmsi_function *)found.malloc_usable_size);
	if (!vmsi_interposer_belongs((vmsi_function *)FIND(pvalloc)))
		found.pvalloc = NULL;
	FIND(mmap);
	FIND(mremap);
	FIND(munmap);
}

/* Where early blocks are about, those that must know them go in between. */
static void publish(void)
{
	bool late = vmsi_interposer_early_used();

	PUBLISH(mmap, found.mmap);
	PUBLISH(mremap, found.mremap);
	PUBLISH(munmap, found.munmap);
	PUBLISH(knows_sizes, found.knows_sizes);
	PUBLISH(pvalloc, found.pvalloc);
	PUBLISH(free, late ? late_free : found.free);
	PUBLISH(realloc, late ? late_realloc : found.realloc);
	PUBLISH(malloc_usable_size,
		late ? late_usable_size : found.malloc_usable_size);
	PUBLISH(calloc, found.calloc);
	PUBLISH(memalign, found.memalign);
	PUBLISH(aligned_alloc, found.aligned_alloc);
	PUBLISH(posix_memalign, found.posix_memalign);
	PUBLISH(valloc, found.valloc);
	PUBLISH(malloc, found.malloc);
}

/* Both may allocate, and do nothing the second time. */
__attribute__((constructor)) static void begin(void)
{
	vmsi_interposer_watch_fork();
	vmsi_interposer_read_settings();
}

VMSI_COLD static void look_up(void)
{
	int error = errno;

	looking = true;
	find();
	/* What dlsym allocates after this has a place to go to. */
	publish();
	looking = false;
	begin();
	errno = error;
}
