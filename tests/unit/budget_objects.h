/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_BUDGET_OBJECTS_H
#define VMSI_TESTS_BUDGET_OBJECTS_H

#include <sys/mman.h>
#include <unistd.h>

#include "budget_fixture.h"
#include "space_fixture.h"

/* Two spaces under one budget, for tests of the objects that are mapped there. */

#define LIMIT_PAGES 100

static vms_budget *budget;
static vms_space *second;

static inline vms_space *open_under(vms_budget *above, unsigned flags)
{
	const struct vms_space_options options = {
		.struct_size = sizeof(options),
		.commit_policy = VMS_COMMIT_ALWAYS,
		.flags = flags,
		.budget = above,
	};
	vms_space *made = vms_space_open(bytes(SPACE_PAGES), &options);

	assert_non_null(made);
	return made;
}

static inline int open_with(vms_budget *opened)
{
	budget = opened;
	space = open_under(budget, 0);
	second = open_under(budget, 0);
	return 0;
}

static inline int open_own(void **state)
{
	(void)state;
	return open_with(open_strict(bytes(LIMIT_PAGES), NULL));
}

static inline int open_for_all(void **state)
{
	(void)state;
	return open_with(open_shared(bytes(LIMIT_PAGES), VMS_COMMIT_STRICT));
}

static inline int close_all(void **state)
{
	int status = close_space(state);

	if (vms_space_close(second) != 0 || stats_of(budget).committed != 0) {
		print_error("a closed space has left a charge\n");
		status = -1;
	}
	return vms_budget_close(budget) == 0 ? status : -1;
}

/* Run a test under a private budget and under a shared one. */
#define BOTH(test) \
	cmocka_unit_test_setup_teardown(test, open_own, close_all), \
	cmocka_unit_test_setup_teardown(test, open_for_all, close_all)
#define SHARED_ONLY(test) \
	cmocka_unit_test_setup_teardown(test, open_for_all, close_all)

static inline size_t charged_pages(void)
{
	return stats_of(budget).committed / vmsi_page_size();
}

static inline int make_file(size_t pages)
{
	int fd = memfd_create("object", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)bytes(pages)), 0);
	return fd;
}

static inline void *map_file(vms_space *where, int fd, size_t pages, int flags)
{
	void *memory = vms_mmap(where, NULL, bytes(pages), RW, flags, fd, 0);

	assert_ptr_not_equal(memory, MAP_FAILED);
	return memory;
}

static inline void unmap(vms_space *where, void *memory, size_t pages)
{
	assert_int_equal(vms_munmap(where, memory, bytes(pages)), 0);
}

#endif
