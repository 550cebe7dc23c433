/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_SPACE_FIXTURE_H
#define VMSI_TESTS_SPACE_FIXTURE_H

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

#include "host/host.h"
#include "space/inside.h"
#include "space/space.h"

/*
 * A space of SPACE_PAGES pages for the tests of src/space. Pages are named by their
 * number from its start.
 */

#define SPACE_PAGES 8192
#define RW (PROT_READ | PROT_WRITE)
#define ANONYMOUS (MAP_PRIVATE | MAP_ANONYMOUS)
#define SHARED (MAP_SHARED | MAP_ANONYMOUS)

static vms_space *space;

static inline size_t bytes(size_t pages)
{
	return pages * vmsi_page_size();
}

static inline char *at(size_t page)
{
	return (char *)vms_space_base(space) + bytes(page);
}

static inline int open_space_with(const struct vms_space_options *options)
{
	space = vms_space_open(bytes(SPACE_PAGES), options);
	return space ? 0 : -1;
}

static inline int open_space(void **state)
{
	(void)state;
	return open_space_with(NULL);
}

static inline int close_space(void **state)
{
	const char *wrong = vmsi_space_check(space);

	(void)state;
	if (wrong) {
		print_error("%s\n", wrong);
		return -1;
	}
	return vms_space_close(space);
}

#define WITH_SPACE(test) \
	cmocka_unit_test_setup_teardown(test, open_space, close_space)

/* Map memory at a page; it must succeed. */
static inline char *map_as(size_t page, size_t pages, int prot, int flags)
{
	char *memory = vms_mmap(space, at(page), bytes(pages), prot,
				flags | MAP_FIXED, -1, 0);

	assert_ptr_equal(memory, at(page));
	return memory;
}

static inline char *map_pages(size_t page, size_t pages)
{
	return map_as(page, pages, RW, ANONYMOUS);
}

static inline struct vms_space_stats stats_now(void)
{
	struct vms_space_stats stats = { .struct_size = sizeof(stats) };

	assert_int_equal(vms_space_get_stats(space, &stats), 0);
	return stats;
}

/* Find the first listed mapping at or above a page; return false if none. */
static inline bool listed_from(size_t page, struct vms_mapping_info *info)
{
	uintptr_t cursor = (uintptr_t)at(page);

	info->struct_size = sizeof(*info);
	return vms_space_next_mapping(space, &cursor, info, 0) == 1;
}

/* Return the listed mapping that starts at a page. */
static inline struct vms_mapping_info *listed_at(size_t page)
{
	static struct vms_mapping_info info;

	if (!listed_from(page, &info) || info.start != (uintptr_t)at(page))
		fail_msg("no mapping begins at page %zu", page);
	return &info;
}

/* Check that a call returns -1 with this errno. */
#define assert_fails(call, wanted) \
	do { \
		errno = 0; \
		assert_int_equal((call), -1); \
		assert_int_equal(errno, (wanted)); \
	} while (0)

#define assert_map_fails(call, wanted) \
	do { \
		errno = 0; \
		assert_ptr_equal((call), MAP_FAILED); \
		assert_int_equal(errno, (wanted)); \
	} while (0)

#endif
