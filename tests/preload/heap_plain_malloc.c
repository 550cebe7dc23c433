/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

/*
 * A malloc with the usual calls only, as somebody might have written it: how
 * large a block is cannot be asked. It hands out one region and reuses nothing.
 */

#define REGION ((size_t)1 << 30)
#define EXPORTED __attribute__((visibility("default")))

EXPORTED void *malloc(size_t size);
EXPORTED void free(void *block);
EXPORTED void *calloc(size_t count, size_t size);
EXPORTED void *realloc(void *block, size_t size);

static char *region;
static size_t taken;

static char *begin(void)
{
	void *none = NULL;
	void *memory = mmap(NULL, REGION, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory != MAP_FAILED)
		__atomic_compare_exchange_n(&region, (char **)&none, memory,
					    0, __ATOMIC_SEQ_CST,
					    __ATOMIC_SEQ_CST);
	return region;
}

/* The size lies before the block, turned around so that it is no pointer. */
void *malloc(size_t size)
{
	char *memory = region ? region : begin();
	size_t place;

	if (!memory || size > REGION / 2) {
		errno = ENOMEM;
		return NULL;
	}
	place = __atomic_fetch_add(&taken, (size + 31) & ~(size_t)15,
				   __ATOMIC_SEQ_CST);
	if (place + size + 16 > REGION) {
		errno = ENOMEM;
		return NULL;
	}
	*(size_t *)(void *)(memory + place) = ~size;
	return memory + place + 16;
}

void free(void *block)
{
	/* A block of another malloc is found out. */
	if (block && (uintptr_t)block - (uintptr_t)region >= REGION)
		__builtin_trap();
}

void *calloc(size_t count, size_t size)
{
	size_t length;

	if (__builtin_mul_overflow(count, size, &length)) {
		errno = ENOMEM;
		return NULL;
	}
	return malloc(length);
}

void *realloc(void *block, size_t size)
{
	void *moved = malloc(size);
	size_t old_size;

	if (!block || !moved)
		return moved;
	old_size = ~*(size_t *)(void *)((char *)block - 16);
	memcpy(moved, block, old_size < size ? old_size : size);
	return moved;
}
