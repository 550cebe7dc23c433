/* SPDX-License-Identifier: MIT */
#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "failing/parts.h"

/* --- early memory ------------------------------------------------------------------ */

/*
 *    [ size, padding to 16 ][ block ... ][ size, padding ][ block ... ]
 */
#define ARENA_SIZE 16384
#define GRAIN ((size_t)16)

static _Alignas(4096) char arena[ARENA_SIZE];
static size_t taken;

static size_t align_up(size_t number, size_t alignment)
{
	return (number + alignment - 1) & ~(alignment - 1);
}

void *vmsi_failing_early_alloc(size_t alignment, size_t size)
{
	size_t seen = __atomic_load_n(&taken, __ATOMIC_RELAXED);
	size_t start, end;

	if (alignment < GRAIN)
		alignment = GRAIN;
	do {
		start = align_up(seen + GRAIN, alignment);
		if (start > ARENA_SIZE || size > ARENA_SIZE - start) {
			errno = ENOMEM;
			return NULL;
		}
		end = align_up(start + size, GRAIN);
	} while (!__atomic_compare_exchange_n(&taken, &seen, end, false,
					      __ATOMIC_SEQ_CST,
					      __ATOMIC_RELAXED));
	*(size_t *)(void *)(arena + start - GRAIN) = size;
	return arena + start;
}

bool vmsi_failing_is_early(const void *block)
{
	return (uintptr_t)block - (uintptr_t)arena < ARENA_SIZE;
}

size_t vmsi_failing_early_size(const void *block)
{
	return *(const size_t *)(const void *)((const char *)block - GRAIN);
}

/* --- the look-up --------------------------------------------------------------------- */

/* This thread looks up at this moment; dlsym may call malloc then. */
static __thread bool looking __attribute__((tls_model("initial-exec")));

static struct vmsi_failing_next next;
static bool found;

/*
 * dlsym looks after the library that it is called from, which it knows by its return
 * address: so it must not be left by a jump to a caller elsewhere.
 */
vmsi_function *vmsi_failing_find(const char *name)
{
	void *symbol = dlsym(RTLD_NEXT, name);
	vmsi_function *function;

	__asm__ volatile("" : "+r"(symbol));
	memcpy(&function, &symbol, sizeof(function));
	return function;
}

#define FIND(entry) \
	__atomic_store_n(&next.entry, \
			 (__typeof__(next.entry))vmsi_failing_find(#entry), \
			 __ATOMIC_RELAXED)

/* No lock is taken: threads that look up at once find the same. */
VMSI_COLD static void look_up(void)
{
	const int error = errno;

	looking = true;
	FIND(malloc);
	FIND(free);
	FIND(calloc);
	FIND(realloc);
	FIND(reallocarray);
	FIND(aligned_alloc);
	FIND(posix_memalign);
	FIND(memalign);
	FIND(valloc);
	FIND(pvalloc);
	FIND(malloc_usable_size);
	__atomic_store_n(&found, true, __ATOMIC_RELEASE);
	looking = false;
	errno = error;
}

const struct vmsi_failing_next *vmsi_failing_next(void)
{
	if (__builtin_expect(__atomic_load_n(&found, __ATOMIC_ACQUIRE), 1))
		return &next;
	if (looking)
		return NULL;
	look_up();
	return &next;
}
