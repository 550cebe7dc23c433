/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_HEAP_DEATH_H
#define VMSI_TESTS_HEAP_DEATH_H

#include <string.h>

#include "death.h"

/* Blocks of a heap: a small one lies in a run, a large one in a slot. */

#define SMALL ((size_t)100 << 10)
#define LARGE ((size_t)3 << 20)

static inline vms_heap *open_heap(void)
{
	struct rlimit no_core = { 0, 0 };
	vms_heap *heap = vms_heap_open(NULL);

	setrlimit(RLIMIT_CORE, &no_core);
	if (!heap)
		give_up("vms_heap_open");
	return heap;
}

static inline char *make_block(vms_heap *heap, size_t size)
{
	char *block = vms_heap_malloc(heap, size);

	if (!block)
		give_up("vms_heap_malloc");
	memset(block, 1, size);
	return block;
}

#endif
