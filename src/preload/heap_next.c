/* SPDX-License-Identifier: MIT */
#include "preload/heap.h"

#include <dlfcn.h>
#include <string.h>

#include "base/align.h"

/*
 * The next malloc. The first call of any of its functions looks all of them up.
 * No lock: threads that do so at once find the same.
 */

/* This thread is in the midst of it, and the look-up allocates. */
static __thread bool looking __attribute__((tls_model("initial-exec")));

static void look_up(void);

/*
 * The functions before the look-up. One that comes back from within it takes
 * early memory.
 */
static void *first_malloc(size_t size)
{
	if (looking)
		return vmsi_front_early_alloc(1, size);
	look_up();
	return vmsi_front.next.malloc(size);
}

static void *first_calloc(size_t count, size_t size)
{
	size_t length;

	if (!looking) {
		look_up();
		return vmsi_front.next.calloc(count, size);
	}
	if (vmsi_multiply(count, size, &length))
		return vmsi_front_early_alloc(1, length);
	errno = ENOMEM;
	return NULL;
}

static void first_free(void *block)
{
	if (!block || looking || vmsi_front_is_early(block))
		return;
	look_up();
	vmsi_front.next.free(block);
}

static void *first_realloc(void *block, size_t size)
{
	if (!looking) {
		look_up();
		return vmsi_front.next.realloc(block, size);
	}

	void *moved = vmsi_front_early_alloc(1, size);

	if (moved && block)
		memcpy(moved, block,
		       vmsi_min(size, vmsi_front_early_size(block)));
	return moved;
}

static void *first_memalign(size_t alignment, size_t size)
{
	if (looking)
		return vmsi_front_early_alloc(alignment, size);
	look_up();
	return vmsi_front.next.memalign(alignment, size);
}

static void *first_aligned_alloc(size_t alignment, size_t size)
{
	if (looking)
		return vmsi_front_early_alloc(alignment, size);
	look_up();
	return vmsi_front.next.aligned_alloc(alignment, size);
}

static int first_posix_memalign(void **result, size_t alignment, size_t size)
{
	if (!looking) {
		look_up();
		return vmsi_front.next.posix_memalign(result, alignment, size);
	}

	void *block = vmsi_front_early_alloc(alignment, size);

	if (!block)
		return ENOMEM;
	*result = block;
	return 0;
}

static void *first_valloc(size_t size)
{
	if (looking)
		return vmsi_front_early_alloc(4096, size);
	look_up();
	return vmsi_front.next.valloc(size);
}

static size_t first_usable_size(void *block)
{
	if (!block)
		return 0;
	if (looking || vmsi_front_is_early(block))
		return vmsi_front_early_size(block);
	look_up();
	return vmsi_front.next.malloc_usable_size(block);
}

/* Above all addresses of a program: with any length, none lies in it. */
#define NO_BASE ((uintptr_t)1 << 63)

_Alignas(64) struct vmsi_front vmsi_front = {
	.base = NO_BASE,
	.threshold = VMSI_FRONT_THRESHOLD,
	.next = {
		.malloc = first_malloc,
		.free = first_free,
		.calloc = first_calloc,
		.realloc = first_realloc,
		.memalign = first_memalign,
		.aligned_alloc = first_aligned_alloc,
		.posix_memalign = first_posix_memalign,
		.valloc = first_valloc,
		.malloc_usable_size = first_usable_size,
	},
};

/* What was found, whatever stands before it in use. */
static struct vmsi_front_next found;

/* The functions after a look-up that has allocated. */
static void late_free(void *block)
{
	if (!vmsi_front_is_early(block))
		found.free(block);
}

static void *late_realloc(void *block, size_t size)
{
	if (!vmsi_front_is_early(block))
		return found.realloc(block, size);

	void *moved = found.malloc(size);

	if (moved)
		memcpy(moved, block,
		       vmsi_min(size, vmsi_front_early_size(block)));
	return moved;
}

static size_t late_usable_size(void *block)
{
	return vmsi_front_is_early(block) ? vmsi_front_early_size(block) :
		found.malloc_usable_size(block);
}

/*
 * dlsym looks after the library that it is called from, which it knows by its
 * return address: so it must not be left by a jump to a caller elsewhere.
 */
vmsi_function *vmsi_front_next_function(const char *name)
{
	void *symbol = dlsym(RTLD_NEXT, name);
	vmsi_function *function;

	__asm__ volatile("" : "+r"(symbol));
	memcpy(&function, &symbol, sizeof(function));
	return function;
}

vmsi_function *vmsi_front_first_function(const char *name)
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
		(__typeof__(found.entry))vmsi_front_next_function(#entry))
#define PUBLISH(entry, function) \
	__atomic_store_n(&vmsi_front.next.entry, function, __ATOMIC_SEQ_CST)

/*
 * Some mallocs lack the rarer functions, and what is found then is libc's, for
 * libc's blocks.
 */
bool vmsi_front_belongs(vmsi_function *function)
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
	found.knows_sizes =
		vmsi_front_belongs((vmsi_function *)found.malloc_usable_size);
	if (!vmsi_front_belongs((vmsi_function *)FIND(pvalloc)))
		found.pvalloc = NULL;
	vmsi_front_find_mappings();
}

/* Where early blocks are about, those that must know them go in between. */
static void publish(void)
{
	bool late = vmsi_front_early_used();

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

VMSI_COLD static void look_up(void)
{
	int error = errno;

	looking = true;
	find();
	/* What dlsym allocates after this has a place to go to. */
	publish();
	looking = false;
	/* It may allocate. */
	vmsi_front_watch_fork();
	vmsi_front_read_settings();
	errno = error;
}
