/* SPDX-License-Identifier: MIT */
#include "preload/heap_early.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/align.h"

/*
 * dlsym may allocate while it looks the next malloc up, and gets memory of this
 * arena. None of it is used twice, so all of it is zero when it is handed out.
 *
 *    [ size, padding to 16 ][ block ... ][ size, padding ][ block ... ]
 */
#define ARENA_SIZE 16384
#define GRAIN 16

static _Alignas(4096) char arena[ARENA_SIZE];
static size_t taken;

void *vmsi_interposer_early_alloc(size_t alignment, size_t size)
{
	size_t seen = __atomic_load_n(&taken, __ATOMIC_RELAXED);
	size_t start, end;

	if (alignment < GRAIN)
		alignment = GRAIN;
	do {
		/* Before the block there is room for its size. */
		start = vmsi_align_up(seen + GRAIN, alignment);
		if (start > ARENA_SIZE || size > ARENA_SIZE - start) {
			errno = ENOMEM;
			return NULL;
		}
		end = vmsi_align_up(start + size, GRAIN);
	} while (!__atomic_compare_exchange_n(&taken, &seen, end, false,
					      __ATOMIC_SEQ_CST,
					      __ATOMIC_RELAXED));
	*(size_t *)(void *)(arena + start - GRAIN) = size;
	return arena + start;
}

bool vmsi_interposer_is_early(const void *block)
{
	return (uintptr_t)block - (uintptr_t)arena < ARENA_SIZE;
}

size_t vmsi_interposer_early_size(const void *block)
{
	return *(const size_t *)(const void *)((const char *)block - GRAIN);
}

bool vmsi_interposer_early_used(void)
{
	return __atomic_load_n(&taken, __ATOMIC_SEQ_CST) > 0;
}
