/* SPDX-License-Identifier: MIT */
#include "pool_fixture.h"

#include "host/host.h"

/* Fixing pages, and reading them without; in frames and at addresses of theirs. */

static const unsigned kinds[] = { 0, VMS_POOL_ADDRESSED };

#define FOR_KINDS(i) for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)

static uint64_t next_random(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return *state >> 33;
}

/* --- contents ------------------------------------------------------------------------ */

static void pages_are_read(void **state)
{
	const struct place *place = *state;

	FOR_KINDS(i) {
		int fd = make_pages(place->path, FILE_PAGES);
		vms_pool *pool = must_open_pool(fd, kinds[i], SMALL_RAM, 0);
		uint64_t random = 7;

		assert_int_equal(close(fd), 0);
		assert_int_equal(vms_pool_pages(pool), FILE_PAGES);
		for (int n = 0; n < 5000; n++)
			must_be(pool, next_random(&random) % FILE_PAGES, 0);
		assert_true(pool_stats(pool).evictions > 0);
		assert_true(pool_stats(pool).resident <= pool_stats(pool).slots);
		assert_true(pool_stats(pool).used <= SMALL_RAM);
		assert_int_equal(pool_stats(pool).pages_written, 0);
		worked(vms_pool_close(pool));
	}
}

static void changes_stay(void **state)
{
	const struct place *place = *state;

	FOR_KINDS(i) {
		int fd = make_pages(place->path, FILE_PAGES);
		vms_pool *pool = must_open_pool(fd, kinds[i] | VMS_POOL_NO_WRITER,
						SMALL_RAM, 0);
		static unsigned states[FILE_PAGES];
		uint64_t random = 8;

		assert_int_equal(close(fd), 0);
		memset(states, 0, sizeof(states));
		for (int n = 0; n < 8000; n++) {
			const uint64_t page = next_random(&random) % FILE_PAGES;

			if (next_random(&random) % 2)
				change(pool, page, ++states[page], 0);
			else
				must_be(pool, page, states[page]);
		}
		worked(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL));
		assert_int_equal(pool_stats(pool).dirty, 0);
		for (uint64_t page = 0; page < FILE_PAGES; page++)
			assert_int_equal(state_in_file(place->path, page),
					 (int)states[page]);
		worked(vms_pool_close(pool));
	}
}

static void addresses_hold(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, FILE_PAGES);
	vms_pool *pool = must_open_pool(fd, VMS_POOL_ADDRESSED, SMALL_RAM, 0);
	char *first = must_fix(pool, 0, VMS_POOL_READ);

	assert_int_equal(close(fd), 0);
	for (uint64_t page = 1; page < FILE_PAGES; page++) {
		assert_ptr_equal(must_fix(pool, page, VMS_POOL_READ),
				 first + page * PAGE);
		must_unfix(pool, page);
	}
	must_unfix(pool, 0);
	worked(vms_pool_close(pool));
}

static void the_last_page_may_be_short(void **state)
{
	const struct place *place = *state;

	FOR_KINDS(i) {
		int fd = make_pages(place->path, 3);
		vms_pool *pool;
		const char *bytes;

		assert_int_equal(ftruncate(fd, 2 * (off_t)PAGE + 100), 0);
		pool = must_open_pool(fd, kinds[i], SMALL_RAM, 8);
		assert_int_equal(vms_pool_pages(pool), 3);
		bytes = must_fix(pool, 2, VMS_POOL_READ);
		for (size_t k = 104; k < PAGE; k++)
			assert_int_equal(bytes[k], 0);
		assert_int_equal(*(const uint64_t *)bytes, 2 * 1000003);
		must_unfix(pool, 2);
		refused_null(vms_pool_fix(pool, 3, VMS_POOL_READ), ERANGE);
		worked(vms_pool_close(pool));
		assert_int_equal(close(fd), 0);
	}
}

static void large_pages(void **state)
{
	const struct place *place = *state;
	const size_t large = (size_t)2 << 20;
	const struct vms_pool_options options = {
		.struct_size = sizeof(options),
		.page_size = large,
		.ram = 20 * large,
		.pages = 40,
	};
	int fd = make_pages(place->path, 0);
	vms_pool *pool = vms_pool_open(fd, &options);

	assert_non_null(pool);
	worked(vms_pool_grow(pool, 40));
	for (uint64_t page = 0; page < 40; page++) {
		char *bytes = must_fix(pool, page, VMS_POOL_WRITE);

		bytes[0] = (char)page;
		bytes[large - 1] = (char)(page + 1);
		must_unfix(pool, page);
	}
	for (uint64_t page = 0; page < 40; page++) {
		const char *bytes = must_fix(pool, page, VMS_POOL_READ);

		assert_int_equal(bytes[0], (char)page);
		assert_int_equal(bytes[large - 1], (char)(page + 1));
		must_unfix(pool, page);
	}
	worked(vms_pool_close(pool));
	assert_int_equal(close(fd), 0);
}

/* --- locks ------------------------------------------------------------------------------ */

static void locks_exclude(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, 4);
	vms_pool *pool = must_open_pool(fd, 0, SMALL_RAM, 0);

	refused_null(vms_pool_try_fix(pool, 1, VMS_POOL_READ), EAGAIN);
	(void)must_fix(pool, 1, VMS_POOL_READ);
	assert_non_null(vms_pool_try_fix(pool, 1, VMS_POOL_READ));
	refused_null(vms_pool_try_fix(pool, 1, VMS_POOL_WRITE), EAGAIN);
	refused(vms_pool_downgrade(pool, 1), EINVAL);
	must_unfix(pool, 1);
	must_unfix(pool, 1);
	refused(vms_pool_unfix(pool, 1), EINVAL);
	(void)must_fix(pool, 1, VMS_POOL_WRITE);
	refused_null(vms_pool_try_fix(pool, 1, VMS_POOL_READ), EAGAIN);
	worked(vms_pool_downgrade(pool, 1));
	assert_non_null(vms_pool_try_fix(pool, 1, VMS_POOL_READ));
	must_unfix(pool, 1);
	must_unfix(pool, 1);
	refused_null(vms_pool_fix(pool, 1, (enum vms_pool_mode)3), EINVAL);
	refused_null(vms_pool_fix(pool, 4, VMS_POOL_READ), ERANGE);
	refused(vms_pool_unfix(pool, 4), EINVAL);
	worked(vms_pool_close(pool));
	assert_int_equal(close(fd), 0);
}

static void as_many_readers_as_fit(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, 4);
	vms_pool *pool = must_open_pool(fd, 0, SMALL_RAM, 0);

	for (int i = 0; i < 253; i++)
		(void)must_fix(pool, 2, VMS_POOL_READ);
	refused_null(vms_pool_try_fix(pool, 2, VMS_POOL_READ), EAGAIN);
	for (int i = 0; i < 253; i++)
		must_unfix(pool, 2);
	refused(vms_pool_unfix(pool, 2), EINVAL);
	worked(vms_pool_close(pool));
	assert_int_equal(close(fd), 0);
}

static void all_is_fixed(void **state)
{
	const struct place *place = *state;

	FOR_KINDS(i) {
		int fd = make_pages(place->path, FILE_PAGES);
		vms_pool *pool = must_open_pool(fd, kinds[i], SMALL_RAM, 0);
		const uint64_t slots = pool_stats(pool).slots;

		assert_true(slots < FILE_PAGES);
		for (uint64_t page = 0; page < slots; page++)
			(void)must_fix(pool, page, VMS_POOL_READ);
		refused_null(vms_pool_fix(pool, slots, VMS_POOL_READ), ENOBUFS);
		must_unfix(pool, 5);
		must_be(pool, slots, 0);
		for (uint64_t page = 0; page < slots; page++)
			if (page != 5)
				must_unfix(pool, page);
		worked(vms_pool_close(pool));
		assert_int_equal(close(fd), 0);
	}
}

/* --- reads without a fix ------------------------------------------------------------------- */

static void optimistic_reads(void **state)
{
	const struct place *place = *state;

	FOR_KINDS(i) {
		int fd = make_pages(place->path, FILE_PAGES);
		vms_pool *pool = must_open_pool(fd, kinds[i], SMALL_RAM, 0);
		uint64_t ticket = 0, other = 0;
		const char *bytes = vms_pool_begin(pool, 3, &ticket);

		assert_non_null(bytes);
		assert_true(page_is(bytes, 3, 0));
		assert_true(vms_pool_validate(pool, 3, ticket));
		/* Readers, and that it becomes hot, change nothing. */
		(void)must_fix(pool, 3, VMS_POOL_READ);
		assert_true(vms_pool_validate(pool, 3, ticket));
		for (int n = 0; n < 5; n++)
			assert_ptr_equal(vms_pool_begin(pool, 3, &other), bytes);
		must_unfix(pool, 3);
		assert_true(vms_pool_validate(pool, 3, ticket));
		/* A writer does, whatever it writes. */
		(void)must_fix(pool, 3, VMS_POOL_WRITE);
		assert_false(vms_pool_validate(pool, 3, ticket));
		must_unfix(pool, 3);
		assert_false(vms_pool_validate(pool, 3, ticket));
		/* So does it that the page leaves, and comes back. */
		assert_non_null(vms_pool_begin(pool, 4, &ticket));
		for (uint64_t page = 5; page < FILE_PAGES; page++)
			must_be(pool, page, 0);
		for (uint64_t page = 5; page < FILE_PAGES; page++)
			must_be(pool, page, 0);
		must_be(pool, 4, 0);
		assert_false(vms_pool_validate(pool, 4, ticket));
		refused_null(vms_pool_begin(pool, FILE_PAGES, &ticket), ERANGE);
		assert_false(vms_pool_validate(pool, 4, ticket));
		worked(vms_pool_close(pool));
		assert_int_equal(close(fd), 0);
	}
}

static void upgrades(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, 4);
	vms_pool *pool = must_open_pool(fd, VMS_POOL_NO_WRITER, SMALL_RAM, 0);
	uint64_t ticket = 0;
	const void *bytes = vms_pool_begin(pool, 1, &ticket);

	assert_ptr_equal(vms_pool_upgrade(pool, 1, ticket), bytes);
	refused_null(vms_pool_upgrade(pool, 1, ticket), EAGAIN);
	must_unfix(pool, 1);
	refused_null(vms_pool_upgrade(pool, 1, ticket), EAGAIN);
	assert_non_null(vms_pool_begin(pool, 1, &ticket));
	(void)must_fix(pool, 1, VMS_POOL_READ);
	refused_null(vms_pool_upgrade(pool, 1, ticket), EAGAIN);
	must_unfix(pool, 1);
	assert_ptr_equal(vms_pool_upgrade(pool, 1, ticket), bytes);
	must_unfix(pool, 1);
	assert_int_equal(pool_stats(pool).dirty, 1);
	worked(vms_pool_close(pool));
	assert_int_equal(close(fd), 0);
}

/* --- many pages ------------------------------------------------------------------------------ */

static void many_pages(void **state)
{
	const struct place *place = *state;

	FOR_KINDS(i) {
		const uint64_t pages[] = { 9, 2, 400, 30, 1 }, twice[] = { 9, 2, 9 };
		const uint64_t beyond[] = { 9, FILE_PAGES };
		int fd = make_pages(place->path, FILE_PAGES);
		vms_pool *pool = must_open_pool(fd, kinds[i], SMALL_RAM, 0);
		void *addresses[5];

		worked(vms_pool_fix_many(pool, pages, addresses, 5, VMS_POOL_READ));
		for (size_t k = 0; k < 5; k++)
			assert_true(page_is(addresses[k], pages[k], 0));
		worked(vms_pool_unfix_many(pool, pages, 5));
		refused(vms_pool_unfix_many(pool, pages, 5), EINVAL);
		refused(vms_pool_fix_many(pool, twice, addresses, 3, VMS_POOL_READ),
			EINVAL);
		refused(vms_pool_fix_many(pool, beyond, addresses, 2, VMS_POOL_READ),
			ERANGE);
		refused(vms_pool_unfix(pool, 9), EINVAL);
		worked(vms_pool_fix_many(pool, pages, addresses, 0, VMS_POOL_READ));
		refused(vms_pool_fix_many(pool, pages, addresses, 257, VMS_POOL_READ),
			EINVAL);
		worked(vms_pool_close(pool));
		assert_int_equal(close(fd), 0);
	}
}

static void pages_are_read_ahead(void **state)
{
	const struct place *place = *state;
	const uint64_t pages[] = { 7, 8, FILE_PAGES + 1, 7, 100 };
	int fd = make_pages(place->path, FILE_PAGES);
	vms_pool *pool = must_open_pool(fd, 0, SMALL_RAM, 0);

	errno = ERRNO_BEFORE;
	assert_int_equal(vms_pool_prefetch(pool, pages, 5), 3);
	assert_int_equal(errno, ERRNO_BEFORE);
	must_be(pool, 8, 0);
	must_be(pool, 7, 0);
	must_be(pool, 100, 0);
	assert_int_equal(vms_pool_prefetch(pool, pages, 5), 0);
	assert_int_equal(pool_stats(pool).reads, 3);
	refused(vms_pool_prefetch(pool, pages, 257), EINVAL);
	worked(vms_pool_close(pool));
	assert_int_equal(close(fd), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		file_test(pages_are_read),
		file_test(changes_stay),
		file_test(addresses_hold),
		file_test(the_last_page_may_be_short),
		file_test(large_pages),
		file_test(locks_exclude),
		file_test(as_many_readers_as_fit),
		file_test(all_is_fixed),
		file_test(optimistic_reads),
		file_test(upgrades),
		file_test(many_pages),
		file_test(pages_are_read_ahead),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
