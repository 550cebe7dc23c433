/* SPDX-License-Identifier: MIT */
#include "pool_fixture.h"

/* Of a program that locks all that it maps, a pool has no more in RAM than it may. */
static void all_is_locked(void **state)
{
	const struct place *place = *state;

	if (mlockall(MCL_FUTURE) != 0) {
		(void)printf("# mlockall is refused: %s\n", strerror(errno));
		skip();
	}
	for (unsigned flags = 0; flags <= VMS_POOL_ADDRESSED; flags++) {
		int fd = make_pages(place->path, FILE_PAGES);
		const size_t before = resident_pages();
		vms_pool *pool = must_open_pool(fd, flags, SMALL_RAM, 1 << 16);

			assert_true((resident_pages() - before) * page_bytes() <
			    SMALL_RAM + ((size_t)4 << 20));
		worked(vms_pool_close(pool));
		assert_int_equal(close(fd), 0);
	}
	assert_int_equal(munlockall(), 0);
}

/* The same of what is aside: there are addresses for more than there ever is. */
static void all_is_locked_and_aside(void **state)
{
	struct vms_pool_options options = {
		.struct_size = sizeof(options),
		.flags = VMS_POOL_MEMORY,
		.page_size = PAGE,
		.ram = SMALL_RAM * 2,
		.pages = 1 << 22,
		.swap_path = ".",
	};
	size_t before;
	vms_pool *pool;

	(void)state;
	if (mlockall(MCL_FUTURE) != 0) {
		(void)printf("# mlockall is refused: %s\n", strerror(errno));
		skip();
	}
	before = resident_pages();
	pool = vms_pool_open(-1, &options);
	assert_non_null(pool);
	worked(vms_pool_grow(pool, FILE_PAGES * 4));
	for (uint64_t page = 0; page < FILE_PAGES * 4; page++)
		change(pool, page, 1, 0);
	assert_true(pool_stats(pool).aside > FILE_PAGES);
	assert_true((resident_pages() - before) * page_bytes() <
		    SMALL_RAM * 2 + ((size_t)4 << 20));
	worked(vms_pool_close(pool));
	assert_int_equal(munlockall(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		file_test(all_is_locked_and_aside),
		file_test(all_is_locked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
