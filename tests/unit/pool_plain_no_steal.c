/* SPDX-License-Identifier: MIT */
#include "plain_fixture.h"
#include "pool_memory_fixture.h"

/* Pages that are not committed, and are used by plain pointers besides. */

static char *at(vms_pool *pool, uint64_t page)
{
	return (char *)vms_pool_base(pool) + page * PAGE;
}

static vms_pool *must_open_no_steal(const struct engine *engine, int fd)
{
	struct vms_pool_options options = memory_options(".");
	vms_pool *pool;

	options.flags = VMS_POOL_NO_STEAL | engine->flags;
	pool = open_by(engine, fd, &options);
	assert_non_null(pool);
	return pool;
}

/* What plain pointers store to a page whose change is not committed waits for that, too. */
static void only_what_is_committed_is_in_the_file(void **state)
{
	const struct place *place = *state;

	FOR_ENGINES(engine) {
		int fd = make_pages(place->path, MANY);
		vms_pool *pool = must_open_no_steal(engine, fd);

		for (uint64_t i = 0; i < MANY; i++)
			change(pool, i, 1, 100 + i);
		assert_true(pool_stats(pool).aside > 1000);
		for (uint64_t i = 0; i < MANY; i += 5)
			fill_page(at(pool, i), i, 2);
		for (uint64_t i = 0; i < MANY; i++)
			assert_true(page_is(at(pool, i), i, i % 5 ? 1 : 2));
		file_has(place->path, 0, MANY, 0);
		refused(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL), EAGAIN);
		file_has(place->path, 0, MANY, 0);
		worked(vms_pool_durable(pool, 100 + MANY / 2 - 1));
		worked(vms_pool_flush(pool, 100 + MANY / 2 - 1, NULL, NULL));
		for (uint64_t i = 0; i < MANY; i++)
			assert_int_equal(state_in_file(place->path, i),
					 i >= MANY / 2 ? 0 : i % 5 ? 1 : 2);
		for (uint64_t i = 0; i < MANY; i++)
			assert_true(page_is(at(pool, i), i, i % 5 ? 1 : 2));
		worked(vms_pool_durable(pool, 100 + MANY));
		worked(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL));
		for (uint64_t i = 0; i < MANY; i++)
			assert_int_equal(state_in_file(place->path, i), i % 5 ? 1 : 2);
		assert_int_equal(pool_stats(pool).aside, 0);
		worked(vms_pool_close(pool));
		assert_int_equal(close(fd), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		file_test(only_what_is_committed_is_in_the_file),
	};

	catch_signals();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
