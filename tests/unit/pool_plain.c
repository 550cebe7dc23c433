/* SPDX-License-Identifier: MIT */
#include "plain_fixture.h"

/* Pages that are loaded and stored to by plain pointers, by each engine. */

static const char *at(const char *base, uint64_t page)
{
	return base + page * PAGE;
}

/* --- loads and stores ------------------------------------------------------------------- */

static void all_pages_can_be_loaded(void **state)
{
	const struct place *place = *state;

	FOR_ENGINES(engine) {
		int fd = make_pages(place->path, FILE_PAGES);
		vms_pool *pool = must_open_plain(engine, fd, 0, SMALL_RAM);
		const char *base = vms_pool_base(pool);

		assert_int_equal(close(fd), 0);
		errno = ERRNO_BEFORE;
		for (uint64_t i = 0; i < 4 * FILE_PAGES; i++)
			assert_true(page_is(at(base, i * 37 % FILE_PAGES),
					    i * 37 % FILE_PAGES, 0));
		assert_int_equal(errno, ERRNO_BEFORE);
		assert_true(pool_stats(pool).faults >= FILE_PAGES);
		assert_true(pool_stats(pool).evictions > 0);
		assert_true(pool_stats(pool).resident <= pool_stats(pool).slots);
		assert_true(pool_stats(pool).used <= SMALL_RAM);
		assert_int_equal(pool_stats(pool).pages_written, 0);
		assert_int_equal(pool_stats(pool).dirty, 0);
		worked(vms_pool_close(pool));
	}
}

static void stores_get_to_the_file(void **state)
{
	const struct place *place = *state;

	FOR_ENGINES(engine) {
		int fd = make_pages(place->path, FILE_PAGES);
		vms_pool *pool = must_open_plain(engine, fd, 0, SMALL_RAM);
		char *base = vms_pool_base(pool);

		for (unsigned round = 1; round < 4; round++) {
			for (uint64_t i = 0; i < FILE_PAGES; i++)
				fill_page(base + i * PAGE, i, round + (i % 3 == 0));
			for (uint64_t i = 0; i < FILE_PAGES; i++)
				assert_true(page_is(at(base, i), i, round + (i % 3 == 0)));
			worked(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL));
			assert_int_equal(pool_stats(pool).dirty, 0);
			for (uint64_t i = 0; i < FILE_PAGES; i++)
				assert_int_equal(state_in_file(place->path, i),
						 round + (i % 3 == 0));
		}
		worked(vms_pool_close(pool));
		assert_int_equal(close(fd), 0);
	}
}

/* A page that was written goes on to tell of stores. */
static void each_flush_has_what_came_since(void **state)
{
	const struct place *place = *state;

	FOR_ENGINES(engine) {
		int fd = make_pages(place->path, FILE_PAGES);
		vms_pool *pool = must_open_plain(engine, fd, 0, SMALL_RAM);
		char *base = vms_pool_base(pool);

		for (unsigned round = 1; round < 20; round++) {
			uint64_t written = pool_stats(pool).pages_written;

			fill_page(base + 5 * PAGE, 5, round);
			assert_true(page_is(at(base, 6), 6, 0));
			/* The thread that writes may have had it. */
			assert_true(pool_stats(pool).dirty <= 1);
			worked(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL));
			assert_true(pool_stats(pool).pages_written > written);
			written = pool_stats(pool).pages_written;
			worked(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL));
			/* Served, a fault may be told twice, and the page is dirty again. */
			if (engine->engine != VMS_POOL_FAULTS_SERVED)
				assert_int_equal(pool_stats(pool).pages_written,
						 written);
			assert_int_equal(state_in_file(place->path, 5), round);
		}
		worked(vms_pool_close(pool));
		assert_int_equal(close(fd), 0);
	}
}

/* --- calls beside --------------------------------------------------------------------------- */

static void calls_see_stores_and_stores_see_calls(void **state)
{
	const struct place *place = *state;
	const uint64_t pages[] = { 9, 200, 3, 4 };
	void *addresses[4];

	FOR_ENGINES(engine) {
		int fd = make_pages(place->path, FILE_PAGES);
		vms_pool *pool = must_open_plain(engine, fd, 0, SMALL_RAM);
		char *base = vms_pool_base(pool);
		uint64_t ticket;
		char *bytes;

		fill_page(base + 3 * PAGE, 3, 1);
		must_be(pool, 3, 1);
		change(pool, 4, 2, 0);
		assert_true(page_is(at(base, 4), 4, 2));
		assert_ptr_equal(must_fix(pool, 9, VMS_POOL_WRITE), at(base, 9));
		fill_page(base + 9 * PAGE, 9, 5);
		must_unfix(pool, 9);
		worked(vms_pool_fix_many(pool, pages, addresses, 4, VMS_POOL_READ));
		assert_ptr_equal(addresses[1], at(base, 200));
		assert_true(page_is(addresses[0], 9, 5));
		assert_true(page_is(addresses[1], 200, 0));
		fill_page(base + 200 * PAGE, 200, 1);
		assert_true(page_is(addresses[1], 200, 1));
		worked(vms_pool_unfix_many(pool, pages, 4));
		bytes = vms_pool_try_fix(pool, 200, VMS_POOL_WRITE);
		assert_ptr_equal(bytes, at(base, 200));
		must_unfix(pool, 200);
		assert_ptr_equal(vms_pool_begin(pool, 300, &ticket), at(base, 300));
		assert_true(vms_pool_validate(pool, 300, ticket));
		assert_ptr_equal(vms_pool_upgrade(pool, 300, ticket), at(base, 300));
		fill_page(base + 300 * PAGE, 300, 1);
		must_unfix(pool, 300);
		assert_false(vms_pool_validate(pool, 300, ticket));
		worked(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL));
		assert_int_equal(state_in_file(place->path, 300), 1);
		assert_int_equal(state_in_file(place->path, 200), 1);
		worked(vms_pool_close(pool));
		assert_int_equal(close(fd), 0);
	}
}

static void numbers_are_waited_for(void **state)
{
	const struct place *place = *state;

	FOR_ENGINES(engine) {
		int fd = make_pages(place->path, FILE_PAGES);
		vms_pool *pool = must_open_plain(engine, fd, 0, SMALL_RAM);
		char *base = vms_pool_base(pool);

		change(pool, 1, 1, 10);
		/* A plain store beside it does not make it be written. */
		fill_page(base + 1 * PAGE, 1, 2);
		fill_page(base + 2 * PAGE, 2, 1);
		refused(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL), EAGAIN);
		for (uint64_t i = 10; i < FILE_PAGES; i++)
			assert_true(page_is(at(base, i), i, 0));
		assert_int_equal(state_in_file(place->path, 1), 0);
		assert_int_equal(state_in_file(place->path, 2), 1);
		worked(vms_pool_durable(pool, 10));
		worked(vms_pool_flush(pool, 10, NULL, NULL));
		assert_int_equal(state_in_file(place->path, 1), 2);
		worked(vms_pool_close(pool));
		assert_int_equal(close(fd), 0);
	}
}

static void pages_are_made_and_dropped(void **state)
{
	const struct place *place = *state;

	FOR_ENGINES(engine) {
		int fd = make_pages(place->path, FILE_PAGES);
		vms_pool *pool = open_plain_pages(engine, fd, 0, SMALL_RAM, PAGE,
						  2 * FILE_PAGES);
		char *base = vms_pool_base(pool);
		uint64_t page;
		char *bytes;

		fill_page(base + 7 * PAGE, 7, 3);
		worked(vms_pool_free(pool, 7));
		bytes = vms_pool_allocate(pool, &page);
		assert_int_equal(page, 7);
		assert_ptr_equal(bytes, at(base, 7));
		assert_true(page_is_zero(bytes));
		fill_page(bytes, 7, 4);
		must_unfix(pool, 7);
		worked(vms_pool_grow(pool, FILE_PAGES + 1));
		assert_true(page_is_zero(at(base, FILE_PAGES)));
		fill_page(base + FILE_PAGES * PAGE, FILE_PAGES, 1);
		worked(vms_pool_set_ram(pool, SMALL_RAM - 64 * PAGE));
		worked(vms_pool_hint(pool, 7, VMS_POOL_DONE));
		worked(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL));
		assert_int_equal(state_in_file(place->path, 7), 4);
		assert_int_equal(state_in_file(place->path, FILE_PAGES), 1);
		worked(vms_pool_close(pool));
		assert_int_equal(close(fd), 0);
	}
}

/* --- pins ------------------------------------------------------------------------------------- */

static void must_read(int fd, char *to, size_t length)
{
	assert_int_equal(pread(fd, to, length, 0), (ssize_t)length);
}

static void system_calls_need_a_pin(void **state)
{
	const struct place *place = *state;

	FOR_ENGINES(engine) {
		int fd = make_pages(place->path, FILE_PAGES);
		vms_pool *pool = must_open_plain(engine, fd, 0, SMALL_RAM);
		char *base = vms_pool_base(pool);
		char *odd = base + 100 * PAGE + 104;

		if (!pool_stats(pool).serves_system_calls) {
			errno = 0;
			assert_int_equal(pread(fd, base + 100 * PAGE, PAGE, 0), -1);
			assert_int_equal(errno, EFAULT);
			assert_true(page_is(at(base, 100), 100, 0));
			/* It is there, and clean. */
			assert_int_equal(pread(fd, base + 100 * PAGE, PAGE, 0), -1);
			assert_int_equal(errno, EFAULT);
		}
		worked(vms_pool_pin(pool, odd, 3 * PAGE, VMS_POOL_WRITE));
		must_read(fd, odd, 3 * PAGE);
		for (uint64_t i = 0; i < FILE_PAGES; i++)
			if (i < 100 || i > 103)
				assert_true(page_is(at(base, i), i, 0));
		must_read(fd, odd, 3 * PAGE);
		worked(vms_pool_unpin(pool, odd, 3 * PAGE));
		refused(vms_pool_unpin(pool, odd, 3 * PAGE), EINVAL);
		for (uint64_t i = 0; i < FILE_PAGES; i++)
			if (i < 100 || i > 103)
				assert_true(page_is(at(base, i), i, 0));
		assert_true(page_is(odd, 0, 0));
		worked(vms_pool_pin(pool, base, 10 * PAGE, VMS_POOL_READ));
		assert_int_equal(pwrite(fd, base, 10 * PAGE, 0), 10 * PAGE);
		worked(vms_pool_unpin(pool, base, 10 * PAGE));
		worked(vms_pool_close(pool));
		assert_int_equal(close(fd), 0);
	}
}

static void pins_that_cannot_be(void **state)
{
	const struct place *place = *state;

	FOR_ENGINES(engine) {
		int fd = make_pages(place->path, FILE_PAGES);
		vms_pool *pool = must_open_plain(engine, fd, 0, SMALL_RAM);
		char *base = vms_pool_base(pool);

		worked(vms_pool_pin(pool, base, 0, VMS_POOL_READ));
		worked(vms_pool_unpin(pool, base, 0));
		refused(vms_pool_pin(pool, base - 1, 1, VMS_POOL_READ), ERANGE);
		refused(vms_pool_pin(pool, base + FILE_PAGES * PAGE - 1, 2, VMS_POOL_READ),
			ERANGE);
		refused(vms_pool_pin(pool, base, SIZE_MAX, VMS_POOL_READ), ERANGE);
		refused(vms_pool_pin(pool, base, 1, (enum vms_pool_mode)3), EINVAL);
		/* More than there is room for: nothing stays pinned. */
		refused(vms_pool_pin(pool, base, FILE_PAGES * PAGE, VMS_POOL_READ), ENOBUFS);
		refused(vms_pool_unpin(pool, base, PAGE), EINVAL);
		worked(vms_pool_close(pool));
		pool = must_open_pool(fd, 0, SMALL_RAM, 0);
		refused_null(vms_pool_base(pool), EINVAL);
		refused(vms_pool_pin(pool, base, 1, VMS_POOL_READ), EINVAL);
		worked(vms_pool_close(pool));
		assert_int_equal(close(fd), 0);
	}
}

/* --- what fails ---------------------------------------------------------------------------------- */

static void what_cannot_come_is_a_signal(void **state)
{
	const struct place *place = *state;

	FOR_ENGINES(engine) {
		int fd = make_pages(place->path, FILE_PAGES);
		vms_pool *pool = open_plain_pages(engine, fd, 0, SMALL_RAM, PAGE,
						  FILE_PAGES + 10);
		char *base = vms_pool_base(pool);
		char *behind = base + FILE_PAGES * PAGE + 3;
		char *lost = base + (FILE_PAGES - 1) * PAGE + 5;

		assert_int_equal(signal_of(behind, false), SIGBUS);
		assert_ptr_equal(signal_seen.si_addr, engine->engine ==
				 VMS_POOL_FAULTS_SERVED ? signal_seen.si_addr : behind);
		if (engine->engine != VMS_POOL_FAULTS_SERVED)
			assert_int_equal(signal_seen.si_code, BUS_ADRERR);
		assert_int_equal(ftruncate(fd, (FILE_PAGES - 1) * PAGE), 0);
		assert_int_equal(signal_of(lost, false), SIGBUS);
		assert_int_equal(signal_of(lost, true), SIGBUS);
		/* Its neighbours are there. */
		assert_true(page_is(at(base, FILE_PAGES - 2), FILE_PAGES - 2, 0));
		refused_null(vms_pool_fix(pool, FILE_PAGES - 1, VMS_POOL_READ), EIO);
		assert_int_equal(ftruncate(fd, FILE_PAGES * PAGE), 0);
		assert_true(page_is_zero(must_fix(pool, FILE_PAGES - 1, VMS_POOL_READ)));
		must_unfix(pool, FILE_PAGES - 1);
		assert_int_equal(signal_of(lost, true), 0);
		worked(vms_pool_close(pool));
		assert_int_equal(close(fd), 0);
	}
}

static void nothing_is_stored_where_nothing_may_be(void **state)
{
	const struct place *place = *state;

	FOR_ENGINES(engine) {
		int fd = make_pages(place->path, FILE_PAGES);
		vms_pool *pool = must_open_plain(engine, fd, VMS_POOL_READ_ONLY, SMALL_RAM);
		char *base = vms_pool_base(pool);

		assert_int_equal(signal_of(base + 7 * PAGE, true), SIGSEGV);
		for (uint64_t i = 0; i < FILE_PAGES; i++)
			assert_true(page_is(at(base, i), i, 0));
		assert_int_equal(signal_of(base + 7 * PAGE, true), SIGSEGV);
		assert_int_equal(signal_of(base + (FILE_PAGES - 1) * PAGE, true), SIGSEGV);
		assert_true(page_is(at(base, 7), 7, 0));
		assert_int_equal(pool_stats(pool).dirty, 0);
		worked(vms_pool_close(pool));
		assert_int_equal(close(fd), 0);
	}
}

static void a_pool_that_is_full_is_a_signal(void **state)
{
	const struct place *place = *state;

	FOR_ENGINES(engine) {
		int fd = make_pages(place->path, FILE_PAGES);
		vms_pool *pool = must_open_plain(engine, fd, 0, SMALL_RAM);
		const uint64_t slots = pool_stats(pool).slots;
		char *base = vms_pool_base(pool);

		worked(vms_pool_pin(pool, base, slots * PAGE, VMS_POOL_READ));
		assert_int_equal(signal_of(base + slots * PAGE, false), SIGBUS);
		worked(vms_pool_unpin(pool, base, slots * PAGE));
		if (engine->engine == VMS_POOL_FAULTS_SERVED)
			must_be(pool, slots, 0);
		assert_true(page_is(at(base, slots), slots, 0));
		worked(vms_pool_close(pool));
		assert_int_equal(close(fd), 0);
	}
}

static void flags_that_are_none(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, FILE_PAGES);

	refused_null(open_pool_of(fd, VMS_POOL_SERVED, SMALL_RAM, 0), EINVAL);
	refused_null(open_pool_of(fd, VMS_POOL_TRANSPARENT | VMS_POOL_NO_WRITER, SMALL_RAM,
				  0), EINVAL);
	assert_int_equal(close(fd), 0);
}

/* --- what comes besides ----------------------------------------------------------------------------- */

static void neighbours_come_together(void **state)
{
	const struct place *place = *state;

	FOR_ENGINES(engine) {
		int fd = make_pages(place->path, FILE_PAGES);
		vms_pool *pool = must_open_plain(engine, fd, 0, 3 * SMALL_RAM);
		char *base = vms_pool_base(pool);

		for (uint64_t i = 0; i < FILE_PAGES; i++)
			assert_true(page_is(at(base, i), i, 0));
		must_be(pool, FILE_PAGES - 1, 0);
		assert_true(pool_stats(pool).faults < FILE_PAGES / 8);
		assert_int_equal(pool_stats(pool).evictions, 0);
		assert_int_equal(pool_stats(pool).read_ahead + pool_stats(pool).misses,
				 FILE_PAGES);
		worked(vms_pool_close(pool));
		assert_int_equal(close(fd), 0);
	}
}

static void a_scan_that_stores_faults_seldom(void **state)
{
	const struct place *place = *state;

	FOR_ENGINES(engine) {
		int fd = make_pages(place->path, FILE_PAGES);
		vms_pool *pool = must_open_plain(engine, fd, 0, 4 * SMALL_RAM);
		char *base = vms_pool_base(pool);

		for (uint64_t i = 0; i < FILE_PAGES; i++)
			fill_page(base + i * PAGE, i, 1);
		assert_true(pool_stats(pool).faults < FILE_PAGES / 8);
		worked(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL));
		for (uint64_t i = 0; i < FILE_PAGES; i++)
			assert_int_equal(state_in_file(place->path, i), 1);
		worked(vms_pool_close(pool));
		assert_int_equal(close(fd), 0);
	}
}

static void use_pages_of(const struct engine *engine, const char *path, size_t size)
{
	const size_t ram = 22 * size + SMALL_RAM;
	const uint64_t count = size < (size_t)64 << 10 ? 600 : 40;
	int fd = make_pages(path, 1);
	vms_pool *pool;
	char *base;

	assert_int_equal(ftruncate(fd, (off_t)(count * size)), 0);
	pool = open_plain_pages(engine, fd, 0, ram, size, 0);
	assert_non_null(pool);
	base = vms_pool_base(pool);
	for (uint64_t i = 0; i < count; i++)
		*(volatile uint64_t *)(base + (i + 1) * size - 8) = i + 1;
	assert_true(pool_stats(pool).evictions > 0);
	for (uint64_t i = 0; i < count; i++)
		assert_int_equal(*(uint64_t *)(base + (i + 1) * size - 8), i + 1);
	worked(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL));
	assert_true(pool_stats(pool).used <= ram);
	worked(vms_pool_close(pool));
	assert_int_equal(close(fd), 0);
}

static void pages_of_all_sizes(void **state)
{
	const struct place *place = *state;

	FOR_ENGINES(engine)
		for (size_t size = page_bytes(); size <= (size_t)2 << 20; size *= 8)
			use_pages_of(engine, place->path, size);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		file_test(all_pages_can_be_loaded),
		file_test(stores_get_to_the_file),
		file_test(each_flush_has_what_came_since),
		file_test(calls_see_stores_and_stores_see_calls),
		file_test(numbers_are_waited_for),
		file_test(pages_are_made_and_dropped),
		file_test(system_calls_need_a_pin),
		file_test(pins_that_cannot_be),
		file_test(what_cannot_come_is_a_signal),
		file_test(nothing_is_stored_where_nothing_may_be),
		file_test(a_pool_that_is_full_is_a_signal),
		file_test(flags_that_are_none),
		file_test(neighbours_come_together),
		file_test(a_scan_that_stores_faults_seldom),
		file_test(pages_of_all_sizes),
	};

	catch_signals();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
