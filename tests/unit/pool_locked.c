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

int main(void)
{
	const struct CMUnitTest tests[] = {
		file_test(all_is_locked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
