/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_STACKS_FIXTURE_H
#define VMSI_TESTS_STACKS_FIXTURE_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <vmspace.h>

#include "base/align.h"
#include "base/mman.h"
#include "host/host.h"

/* A pool of a few stacks. */

#define ERRNO_BEFORE 4711
#define SIZE ((size_t)64 << 10)
#define COUNT 40

static vms_stacks *pool;

static inline size_t page(void)
{
	return vmsi_page_size();
}

/* Without colours, unless they are asked for, so that each has the same size. */
static inline void open_pool(size_t count, size_t size,
			     struct vms_stacks_options *options)
{
	struct vms_stacks_options plain = { 0 };

	if (!options)
		options = &plain;
	options->struct_size = sizeof(*options);
	if (!options->colours)
		options->colours = VMS_STACKS_NO_COLOURS;
	errno = ERRNO_BEFORE;
	pool = vms_stacks_open(count, size, options);
	assert_non_null(pool);
	assert_int_equal(errno, ERRNO_BEFORE);
}

static inline int close_pool(void **state)
{
	const int result = vms_stacks_close(pool);

	(void)state;
	pool = NULL;
	return result;
}

#define pool_test(test) cmocka_unit_test_teardown(test, close_pool)

static inline vms_stack take(void)
{
	vms_stack stack;

	errno = ERRNO_BEFORE;
	assert_int_equal(vms_stacks_take(pool, NULL, &stack), 0);
	assert_int_equal(errno, ERRNO_BEFORE);
	return stack;
}

static inline void give(const vms_stack *stack)
{
	errno = ERRNO_BEFORE;
	assert_int_equal(vms_stacks_give(pool, stack), 0);
	assert_int_equal(errno, ERRNO_BEFORE);
}

static inline struct vms_stacks_stats pool_stats(void)
{
	struct vms_stacks_stats stats = { .struct_size = sizeof(stats) };

	assert_int_equal(vms_stacks_get_stats(pool, &stats), 0);
	return stats;
}

static inline void refused(int result, int error)
{
	assert_int_equal(result, -1);
	assert_int_equal(errno, error);
}

/* Whether a system call can write to an address. */
static inline bool is_writable(const char *address)
{
	const long result = vmsi_host.random((void *)address, 1);

	assert_true(result == 1 || result == -EFAULT);
	return result == 1;
}

/* Check that a stack is memory from end to end, between two guards. */
static inline void assert_guarded(const vms_stack *stack)
{
	const size_t guard = pool_stats().guard_size;
	char *base = stack->base;
	char *end = base + pool_stats().stack_size;

	memset(base, 0x5a, stack->size);
	assert_false(is_writable(base - 1));
	assert_false(is_writable(base - guard));
	assert_false(is_writable(end));
	assert_false(is_writable(end + guard - 1));
}

/* The host's mappings, by the lines of /proc/self/maps. */
static inline size_t mappings(void)
{
	FILE *file = fopen("/proc/self/maps", "re");
	size_t lines = 0;
	int c;

	assert_non_null(file);
	while ((c = getc(file)) != EOF)
		lines += c == '\n';
	(void)fclose(file);
	return lines;
}

#endif
