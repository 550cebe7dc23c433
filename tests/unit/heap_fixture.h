/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_HEAP_FIXTURE_H
#define VMSI_TESTS_HEAP_FIXTURE_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <vmspace.h>

#include "heap/check.h"
#include "heap/heap.h"
#include "host/host.h"
#include "space/inside.h"

/*
 * A heap for the tests. Their blocks are far smaller than the default limit of
 * retained memory, so that nothing goes back unless a test wants it.
 */

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)
#define GIB ((size_t)1 << 30)
#define TIB ((size_t)1 << 40)
#define ERRNO_BEFORE 4711

static vms_heap *heap;

static inline size_t page(void)
{
	return vmsi_page_size();
}

static inline void open_heap_with(struct vms_heap_options options)
{
	options.struct_size = sizeof(options);
	if (heap)
		vms_heap_close(heap);
	heap = vms_heap_open(&options);
	assert_non_null(heap);
}

static inline int open_heap(void **state)
{
	(void)state;
	heap = vms_heap_open(NULL);
	return heap ? 0 : -1;
}

static inline int close_heap(void **state)
{
	const char *wrong = vmsi_heap_check(heap);

	(void)state;
	if (!wrong)
		wrong = vmsi_space_check(vms_heap_space(heap));
	if (wrong)
		print_error("%s\n", wrong);
	vms_heap_close(heap);
	heap = NULL;
	return wrong ? -1 : 0;
}

#define WITH_HEAP(test) \
	cmocka_unit_test_setup_teardown(test, open_heap, close_heap)

static inline struct vms_heap_stats stats_now(void)
{
	struct vms_heap_stats stats = { .struct_size = sizeof(stats) };

	assert_int_equal(vms_heap_get_stats(heap, &stats), 0);
	return stats;
}

/* --- blocks --------------------------------------------------------------- */

/* Return the byte that fills a page; pages near each other have different ones. */
static inline unsigned char pattern(size_t offset)
{
	return (unsigned char)(offset / 4096 * 7 + 1);
}

static inline void fill(unsigned char *block, size_t size)
{
	for (size_t i = 0; i < size; i += 4096)
		memset(block + i, pattern(i), vmsi_min(4096, size - i));
}

static inline void assert_filled(const unsigned char *block, size_t size)
{
	for (size_t i = 0; i < size; i += 4096) {
		size_t last = vmsi_min(i + 4096, size) - 1;

		if (block[i] != pattern(i) || block[last] != pattern(i))
			fail_msg("byte %zu or %zu is wrong", i, last);
	}
}

static inline void assert_zero(const unsigned char *block, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (block[i] != 0)
			fail_msg("byte %zu is not zero", i);
}

static inline unsigned char *make(size_t size)
{
	unsigned char *block = vms_heap_malloc(heap, size);

	assert_non_null(block);
	return block;
}

static inline unsigned char *make_filled(size_t size)
{
	unsigned char *block = make(size);

	fill(block, size);
	return block;
}

static inline unsigned char *make_zero(size_t size)
{
	unsigned char *block = vms_heap_calloc(heap, 1, size);

	assert_non_null(block);
	return block;
}

static inline unsigned char *resize(unsigned char *block, size_t size)
{
	block = vms_heap_realloc(heap, block, size);
	assert_non_null(block);
	return block;
}

static inline void drop(void *block)
{
	vms_heap_free(heap, block);
}

static inline struct vmsi_slot *slot_of(const void *block)
{
	uintptr_t address = (uintptr_t)block;

	return vmsi_slot_of(vmsi_class_of(&heap->layout, address), address);
}

static inline size_t resident(const void *start, size_t length)
{
	struct vmsi_range range = { (uintptr_t)start,
				    (uintptr_t)start + length };
	size_t bytes;

	assert_int_equal(vmsi_host_resident(range, &bytes), 0);
	return bytes;
}

static inline void wait_milliseconds(unsigned milliseconds)
{
	struct timespec time = { .tv_sec = milliseconds / 1000,
				 .tv_nsec = milliseconds % 1000 * 1000000L };

	while (nanosleep(&time, &time) != 0)
		;
}

/* Make the heap look at the ages of retained memory now. */
static inline void look_at_ages(void)
{
	atomic_store(&heap->ages.looked_at, 0);
	(void)vms_heap_collect(heap, 0);
}

/* Check that a call returns NULL with ENOMEM. */
#define assert_no_memory(call) \
	do { \
		errno = 0; \
		assert_null((call)); \
		assert_int_equal(errno, ENOMEM); \
	} while (0)

#endif
