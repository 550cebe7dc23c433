/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include <vmspace.h>
#include <vmspace/buffer.h>
#include <vmspace/budget.h>
#include <vmspace/code.h>
#include <vmspace/heap.h>
#include <vmspace/list.h>
#include <vmspace/pool_stats.h>
#include <vmspace/process.h>
#include <vmspace/ring.h>
#include <vmspace/share.h>
#include <vmspace/stacks.h>

#include "base/versioned.h"

/*
 * A program newer than the library passes each public struct, in sizes that no
 * release has had; one of the first release passes less of some.
 */

#define REST 24

/* The struct as a later release may have it. */
#define NEWER(type)                 \
	struct {                    \
		struct type known;  \
		char rest[REST];    \
		char behind;        \
	}

/* Open with the options and close again; return whether the open succeeded. */
typedef bool open_with(const void *options);

static bool opens_space(const void *options)
{
	vms_space *space = vms_space_open(4096, options);

	return space && vms_space_close(space) == 0;
}

static bool opens_buffer(const void *options)
{
	vms_buffer buffer;

	return vms_buffer_init(&buffer, 1, options) == 0 &&
		vms_buffer_free(&buffer) == 0;
}

static bool opens_heap(const void *options)
{
	vms_heap *heap = vms_heap_open(options);

	vms_heap_close(heap);
	return heap;
}

static bool opens_code(const void *options)
{
	vms_code *code = vms_code_open(options);

	return code && vms_code_close(code) == 0;
}

static bool opens_budget(const void *options)
{
	vms_budget *budget = vms_budget_open(options);

	return budget && vms_budget_close(budget) == 0;
}

static bool opens_stacks(const void *options)
{
	vms_stacks *stacks = vms_stacks_open(1, 1, options);

	return stacks && vms_stacks_close(stacks) == 0;
}

static bool opens_ring(const void *options)
{
	vms_ring *ring = vms_ring_create(NULL, VMS_RING_SPSC, 1, options);

	return ring && vms_ring_close(ring) == 0;
}

static vms_pool *open_pool(const void *options)
{
	const int fd = memfd_create("pool", MFD_CLOEXEC);
	vms_pool *pool;
	int error;

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 4096), 0);
	errno = 0;
	pool = vms_pool_open(fd, options);
	error = errno;
	assert_int_equal(close(fd), 0);
	errno = error;
	return pool;
}

static bool opens_pool(const void *options)
{
	vms_pool *pool = open_pool(options);

	return pool && vms_pool_close(pool) == 0;
}

static bool makes_share(const void *options)
{
	vms_share *made = vms_share_create(NULL, 1, 4096, options);

	return made && vms_share_close(made) == 0;
}

/* What the test has opened to attach to. */
static vms_share *share;

static bool attaches_to_share(const void *options)
{
	vms_share *other = vms_share_attach(vms_share_fd(share), options);

	return other && vms_share_close(other) == 0;
}

static void refuses_options(open_with *opens, void *options, size_t size,
			    int error)
{
	memcpy(options, &size, sizeof(size));
	errno = 0;
	assert_false(opens(options));
	assert_int_equal(errno, error);
}

static void try_options(open_with *opens, void *options, size_t known, size_t first)
{
	const size_t newer = known + REST;
	char *rest = (char *)options + known;

	memcpy(options, &newer, sizeof(newer));
	assert_true(opens(options));
	memcpy(options, &known, sizeof(known));
	assert_true(opens(options));
	memcpy(options, &first, sizeof(first));
	assert_true(opens(options));
	rest[REST - 1] = 1;
	assert_true(opens(options));
	refuses_options(opens, options, newer, E2BIG);
	refuses_options(opens, options, SIZE_MAX, E2BIG);
	refuses_options(opens, options, first - 1, EINVAL);
	refuses_options(opens, options, 0, EINVAL);
}

#define TRY_OPTIONS(opens, type, first)                                     \
	do {                                                                \
		NEWER(type) options = { 0 };                                \
		try_options(opens, &options, sizeof(options.known), first); \
	} while (0)

static void options_may_be_newer(void **state)
{
	(void)state;
	TRY_OPTIONS(opens_space, vms_space_options, VMSI_FIRST_SPACE_OPTIONS);
	TRY_OPTIONS(opens_buffer, vms_buffer_options, VMSI_FIRST_BUFFER_OPTIONS);
	TRY_OPTIONS(opens_heap, vms_heap_options, VMSI_FIRST_HEAP_OPTIONS);
	TRY_OPTIONS(opens_code, vms_code_options, VMSI_FIRST_CODE_OPTIONS);
	TRY_OPTIONS(opens_budget, vms_budget_options, VMSI_FIRST_BUDGET_OPTIONS);
	TRY_OPTIONS(opens_stacks, vms_stacks_options, VMSI_FIRST_STACKS_OPTIONS);
	TRY_OPTIONS(makes_share, vms_share_options, VMSI_FIRST_SHARE_OPTIONS);
	TRY_OPTIONS(attaches_to_share, vms_share_options,
		    VMSI_FIRST_SHARE_OPTIONS);
	TRY_OPTIONS(opens_ring, vms_ring_options, VMSI_FIRST_RING_OPTIONS);
	TRY_OPTIONS(opens_pool, vms_pool_options, VMSI_FIRST_POOL_OPTIONS);
}

/* Read figures of what the test has opened: 0 or more, or -1. */
typedef int get(void *figures);

static vms_space *space;
static vms_buffer buffer;
static vms_heap *heap;
static vms_budget *budget;
static vms_stacks *stacks;
static vms_code *code;
static vms_ring *ring;
static vms_pool *pool;

static int get_space(void *figures)
{
	return vms_space_get_stats(space, figures);
}

static int get_buffer(void *figures)
{
	return vms_buffer_get_stats(&buffer, figures);
}

static int get_heap(void *figures)
{
	return vms_heap_get_stats(heap, figures);
}

static int get_code(void *figures)
{
	return vms_code_get_stats(code, figures);
}

static int get_budget(void *figures)
{
	return vms_budget_get_stats(budget, figures);
}

static int get_stacks(void *figures)
{
	return vms_stacks_get_stats(stacks, figures);
}

static int get_ring(void *figures)
{
	return vms_ring_get_stats(ring, figures);
}

static int get_pool(void *figures)
{
	return vms_pool_get_stats(pool, figures);
}

static int get_share(void *figures)
{
	return vms_share_get_stats(share, figures);
}

static int get_mapping(void *figures)
{
	uintptr_t cursor = 0;

	return vms_space_next_mapping(space, &cursor, figures, 0);
}

static int get_process_mapping(void *figures)
{
	vms_process_maps *maps = vms_process_maps_open(0);
	int result = vms_process_maps_next(maps, figures);
	int error = errno;

	vms_process_maps_close(maps);
	errno = error;
	return result;
}

static void refuses_figures(get *gets, void *figures, size_t size, int error)
{
	memcpy(figures, &size, sizeof(size));
	errno = 0;
	assert_int_equal(gets(figures), -1);
	assert_int_equal(errno, error);
}

/* The first figure is never 0 here, so a caller who knows only that must get it. */
static void try_figures(get *gets, unsigned char *figures, size_t known)
{
	const size_t newer = known + REST;
	size_t first, size;

	memset(figures, 0xa5, newer + 1);
	memcpy(figures, &newer, sizeof(newer));
	assert_true(gets(figures) >= 0);
	memcpy(&size, figures, sizeof(size));
	assert_int_equal(size, newer);
	memcpy(&first, figures + sizeof(size), sizeof(first));
	assert_int_not_equal(first, 0);
	assert_true(first != (size_t)0xa5a5a5a5a5a5a5a5);
	for (size_t i = 0; i < REST; i++)
		assert_int_equal(figures[known + i], 0);
	assert_int_equal(figures[newer], 0xa5);
	refuses_figures(gets, figures, SIZE_MAX, E2BIG);
	refuses_figures(gets, figures, known - 1, EINVAL);
	refuses_figures(gets, figures, 0, EINVAL);
}

#define TRY_FIGURES(gets, type)                                      \
	do {                                                         \
		NEWER(type) figures;                                 \
		try_figures(gets, (unsigned char *)&figures,         \
			    sizeof(figures.known));                  \
	} while (0)

static void figures_may_be_newer(void **state)
{
	(void)state;
	TRY_FIGURES(get_space, vms_space_stats);
	TRY_FIGURES(get_mapping, vms_mapping_info);
	TRY_FIGURES(get_process_mapping, vms_mapping_info);
	TRY_FIGURES(get_buffer, vms_buffer_stats);
	TRY_FIGURES(get_heap, vms_heap_stats);
	TRY_FIGURES(get_code, vms_code_stats);
	TRY_FIGURES(get_budget, vms_budget_stats);
	TRY_FIGURES(get_stacks, vms_stacks_stats);
	TRY_FIGURES(get_share, vms_share_stats);
	TRY_FIGURES(get_ring, vms_ring_stats);
	TRY_FIGURES(get_pool, vms_pool_stats);
}

static int open_all(void **state)
{
	(void)state;
	space = vms_space_open((size_t)1 << 20, NULL);
	heap = vms_heap_open(NULL);
	budget = vms_budget_open(NULL);
	stacks = vms_stacks_open(1, 1, NULL);
	code = vms_code_open(NULL);
	ring = vms_ring_create(NULL, VMS_RING_SPSC, 1, NULL);
	pool = open_pool(NULL);
	share = vms_share_create(NULL, 4096, 8192, NULL);
	return space && heap && budget && stacks && code && share && ring &&
		vms_mmap(space, NULL, 4096, PROT_READ,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED &&
		vms_buffer_init(&buffer, 4096, NULL) == 0 &&
		vms_buffer_append(&buffer, "x", 1) == 0 ? 0 : -1;
}

static int close_all(void **state)
{
	(void)state;
	vms_heap_close(heap);
	return vms_buffer_free(&buffer) || vms_space_close(space) ||
		vms_budget_close(budget) || vms_stacks_close(stacks) ||
		vms_code_close(code) || vms_share_close(share) ||
		vms_pool_close(pool) || vms_ring_close(ring) ? -1 : 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(options_may_be_newer, open_all,
						close_all),
		cmocka_unit_test_setup_teardown(figures_may_be_newer, open_all,
						close_all),
	};

	return cmocka_run_group_tests_name("struct_sizes", tests, NULL, NULL);
}
