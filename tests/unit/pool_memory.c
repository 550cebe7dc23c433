/* SPDX-License-Identifier: MIT */
#include "pool_memory_fixture.h"

#include "pool/aside/aside.h"

/* Pools of memory: what leaves the RAM is put aside, and comes back as it was. */

/* --- what comes back ------------------------------------------------------------------------ */

static void pages_come_back(void **state)
{
	const unsigned ways[] = { 0, VMS_POOL_ADDRESSED, VMS_POOL_NO_WRITER };

	(void)state;
	for (size_t way = 0; way < 3; way++) {
		vms_pool *pool = must_open_with(".", ways[way]);
		struct vms_pool_stats stats;

		assert_int_equal(vms_pool_pages(pool), 0);
		worked(vms_pool_grow(pool, MANY));
		for (unsigned round = 1; round < 3; round++) {
			for (uint64_t page = 0; page < MANY; page++)
				change_kind(pool, page, round);
			for (uint64_t page = 0; page < MANY; page++)
				must_be_kind(pool, page, round);
		}
		stats = pool_stats(pool);
		assert_true(stats.evictions > 2 * MANY);
		assert_true(stats.pages_aside > MANY);
		assert_true(stats.aside >= MANY - stats.slots && stats.aside <= MANY);
		assert_true(stats.swap_file > 0);
		assert_true(stats.aside_zero >= (MANY - stats.slots) / 3 - 1);
		assert_true(stats.used <= stats.ram);
		assert_int_equal(stats.write_errors + stats.read_errors, 0);
		worked(vms_pool_close(pool));
	}
}

static void what_was_never_changed_is_zero_and_takes_nothing(void **state)
{
	vms_pool *pool = must_open_with(NULL, 0);
	struct vms_pool_stats stats;

	(void)state;
	worked(vms_pool_grow(pool, 2 * MANY));
	for (uint64_t page = 0; page < 2 * MANY; page++) {
		assert_true(page_is_zero(must_fix(pool, page, VMS_POOL_READ)));
		must_unfix(pool, page);
	}
	stats = pool_stats(pool);
	assert_true(stats.evictions > MANY);
	assert_int_equal(stats.pages_aside, 0);
	assert_int_equal(stats.aside, 0);
	worked(vms_pool_close(pool));
}

/* A page that is read and leaves again is not put a second time. */
static void what_is_not_changed_leaves_for_nothing(void **state)
{
	vms_pool *pool = must_open_with(".", VMS_POOL_NO_WRITER);
	uint64_t before;

	(void)state;
	worked(vms_pool_grow(pool, MANY));
	for (uint64_t page = 0; page < MANY; page++)
		change_kind(pool, page, 1);
	/* Now all are aside once, and nobody puts what stays for long. */
	for (uint64_t page = 0; page < 2 * MANY; page++)
		must_be_kind(pool, page % MANY, 1);
	before = pool_stats(pool).pages_aside;
	for (uint64_t page = 0; page < 2 * MANY; page++)
		must_be_kind(pool, page % MANY, 1);
	assert_int_equal(pool_stats(pool).pages_aside, before);
	worked(vms_pool_close(pool));
}

static void what_is_free_is_given_back(void **state)
{
	vms_pool *pool = must_open_with(".", 0);
	uint64_t page;

	(void)state;
	for (unsigned i = 0; i < MANY; i++) {
		char *bytes = vms_pool_allocate(pool, &page);

		assert_non_null(bytes);
		assert_true(page_is_zero(bytes));
		fill_noise(bytes, page, 1);
		must_unfix(pool, page);
	}
	assert_true(pool_stats(pool).aside > MANY / 3);
	for (page = 0; page < MANY; page++)
		worked(vms_pool_free(pool, page));
	assert_int_equal(pool_stats(pool).aside, 0);
	/* Who reads it all the same sees zeros, and so does who gets it. */
	assert_true(page_is_zero(must_fix(pool, 5, VMS_POOL_READ)));
	must_unfix(pool, 5);
	assert_true(page_is_zero(vms_pool_allocate(pool, &page)));
	must_unfix(pool, page);
	worked(vms_pool_close(pool));
}

static void many_are_read_together(void **state)
{
	vms_pool *pool = must_open_with(".", 0);
	uint64_t pages[VMS_POOL_MANY];
	void *addresses[VMS_POOL_MANY];
	char expected[PAGE];

	(void)state;
	worked(vms_pool_grow(pool, MANY));
	for (uint64_t page = 0; page < MANY; page++)
		change_kind(pool, page, 1);
	for (unsigned first = 0; first + 100 * 5 < MANY; first += 300) {
		for (unsigned i = 0; i < 100; i++)
			pages[i] = first + 5 * (i * 7 % 100);
		assert_int_equal(vms_pool_fix_many(pool, pages, addresses, 100,
						   VMS_POOL_READ), 0);
		for (unsigned i = 0; i < 100; i++) {
			fill_kind(expected, pages[i], 1);
			assert_memory_equal(addresses[i], expected, PAGE);
		}
		worked(vms_pool_unfix_many(pool, pages, 100));
	}
	for (unsigned i = 0; i < 100; i++)
		pages[i] = 3 * i;
	assert_true(vms_pool_prefetch(pool, pages, 100) > 0);
	for (unsigned i = 0; i < 100; i++)
		must_be_kind(pool, 3 * i, 1);
	worked(vms_pool_close(pool));
}

/* --- what it refuses ---------------------------------------------------------------------------- */

static int no_callback(void *context, uint64_t lsn)
{
	(void)context;
	(void)lsn;
	return 0;
}

static void what_does_not_go_together_is_refused(void **state)
{
	const struct vms_pool_options good = memory_options(NULL);
	struct vms_pool_options bad = good;

	(void)state;
	open_refuses(&good, 0, EINVAL);
	bad.pages = 0;
	open_refuses(&bad, -1, EINVAL);
	bad = good;
	bad.flags |= VMS_POOL_DIRECT;
	open_refuses(&bad, -1, EINVAL);
	bad.flags = VMS_POOL_MEMORY | VMS_POOL_READ_ONLY;
	open_refuses(&bad, -1, EINVAL);
	bad.flags = VMS_POOL_MEMORY | VMS_POOL_NO_STEAL;
	open_refuses(&bad, -1, EINVAL);
	bad.flags = 0;
	bad.swap_path = ".";
	open_refuses(&bad, -1, EINVAL);
	bad = good;
	bad.swap_codec = (enum vms_pool_codec)4;
	open_refuses(&bad, -1, EINVAL);
	bad = good;
	bad.make_durable = no_callback;
	open_refuses(&bad, -1, EINVAL);
	bad = good;
	bad.swap_ram = 64 << 10;
	open_refuses(&bad, -1, EINVAL);
	bad.swap_ram = RAM;
	open_refuses(&bad, -1, EINVAL);
	bad = good;
	bad.swap_path = ".";
	bad.swap_bytes = 100;
	open_refuses(&bad, -1, EINVAL);
	bad.swap_bytes = 0;
	bad.swap_path = "/dev/null";
	open_refuses(&bad, -1, EEXIST);
	bad.swap_path = "no/such/directory";
	open_refuses(&bad, -1, ENOENT);
}

static void numbers_of_a_log_mean_nothing(void **state)
{
	vms_pool *pool = must_open_with(".", 0);

	(void)state;
	worked(vms_pool_grow(pool, MANY));
	for (uint64_t page = 0; page < MANY; page++) {
		fill_kind(must_fix(pool, page, VMS_POOL_WRITE), page, 1);
		worked(vms_pool_dirty(pool, page, 1 + page));
		must_unfix(pool, page);
	}
	for (uint64_t page = 0; page < MANY; page++)
		must_be_kind(pool, page, 1);
	assert_int_equal(pool_stats(pool).held_back, 0);
	worked(vms_pool_durable(pool, 7));
	refused(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL), EINVAL);
	worked(vms_pool_close(pool));
}

/* --- RAM, codecs, children ---------------------------------------------------------------------------- */

static void the_ram_can_be_changed(void **state)
{
	struct vms_pool_options options = memory_options(".");
	struct vms_pool_stats stats;
	vms_pool *pool;

	(void)state;
	options.ram_most = 2 * RAM;
	pool = must_open_memory(&options);
	worked(vms_pool_grow(pool, MANY));
	for (uint64_t page = 0; page < MANY; page++)
		change_kind(pool, page, 1);
	for (unsigned i = 0; i < 4; i++) {
		const size_t ram = i % 2 ? RAM - (RAM >> 2) : 2 * RAM;

		worked(vms_pool_set_ram(pool, ram));
		stats = pool_stats(pool);
		assert_int_equal(stats.ram, ram);
		assert_true(stats.used <= ram);
		assert_true(stats.swap_used <= stats.swap_ram);
		for (uint64_t page = 0; page < MANY; page++)
			must_be_kind(pool, page, 1);
		assert_true(pool_stats(pool).used <= ram);
	}
	refused(vms_pool_set_ram(pool, 1 << 20), EINVAL);
	assert_int_equal(pool_stats(pool).ram, RAM - (RAM >> 2));
	worked(vms_pool_close(pool));
}

/* The store keeps more than its part then, since its pieces were made for more RAM. */
static void the_ram_can_become_a_third(void **state)
{
	struct vms_pool_options options = memory_options(".");
	struct vms_pool_stats stats;
	vms_pool *pool;

	(void)state;
	options.ram = 16 * RAM;
	pool = must_open_memory(&options);
	worked(vms_pool_grow(pool, 2 * MANY));
	for (uint64_t page = 0; page < 2 * MANY; page++)
		change_kind(pool, page, 1);
	worked(vms_pool_set_ram(pool, 16 * RAM / 3));
	stats = pool_stats(pool);
	assert_true(stats.used <= 16 * RAM / 3);
	assert_true(stats.swap_used <= stats.swap_ram);
	assert_true(stats.swap_ram < 16 * RAM / 4);
	for (uint64_t page = 0; page < 2 * MANY; page++)
		must_be_kind(pool, page, 1);
	assert_true(pool_stats(pool).used <= 16 * RAM / 3);
	worked(vms_pool_set_ram(pool, 16 * RAM));
	assert_int_equal(pool_stats(pool).swap_ram, 16 * RAM / 4);
	worked(vms_pool_close(pool));
}

static void each_codec_and_page_size_works(void **state)
{
	(void)state;
	for (int codec = 0; codec <= VMS_POOL_RAW; codec++)
		for (size_t size = 4096; size <= (size_t)2 << 20; size *= 8) {
			struct vms_pool_options options = memory_options(".");
			const unsigned count = 60;
			vms_pool *pool;

			options.swap_codec = (enum vms_pool_codec)codec;
			options.page_size = size;
			options.pages = count;
			options.ram = 26 * size + ((size_t)2 << 20) +
				vmsi_aside_least_ram(size, options.swap_codec);
			options.swap_ram = (64 << 10) +
				vmsi_aside_least_ram(size, options.swap_codec);
			pool = vms_pool_open(-1, &options);
			if (!pool) {
				/* It was left out when the library was built. */
				assert_int_equal(errno, ENOTSUP);
				assert_int_not_equal(codec, VMS_POOL_RAW);
				continue;
			}
			assert_true(pool_stats(pool).swap_codec != 0);
			assert_true(!codec || pool_stats(pool).swap_codec ==
					    (enum vms_pool_codec)codec);
			worked(vms_pool_grow(pool, count));
			for (uint64_t page = 0; page < count; page++) {
				change_kind(pool, page, 1);
				must_be_kind(pool, page, 1);
			}
			for (uint64_t page = 0; page < count; page++)
				must_be_kind(pool, page, 1);
			worked(vms_pool_close(pool));
		}
}

static void a_child_has_nothing(void **state)
{
	vms_pool *pool = must_open_with(".", 0);
	pid_t child;

	(void)state;
	worked(vms_pool_grow(pool, MANY));
	for (uint64_t page = 0; page < MANY; page++)
		change_kind(pool, page, 1);
	child = fork();
	if (child == 0) {
		child_needs(!vms_pool_fix(pool, 0, VMS_POOL_READ) && errno == EBADF);
		child_needs(vms_pool_close(pool) == 0);
		_exit(0);
	}
	must_end_well(child);
	for (uint64_t page = 0; page < MANY; page++)
		must_be_kind(pool, page, 1);
	worked(vms_pool_close(pool));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages_come_back),
		cmocka_unit_test(what_was_never_changed_is_zero_and_takes_nothing),
		cmocka_unit_test(what_is_not_changed_leaves_for_nothing),
		cmocka_unit_test(what_is_free_is_given_back),
		cmocka_unit_test(many_are_read_together),
		cmocka_unit_test(what_does_not_go_together_is_refused),
		cmocka_unit_test(numbers_of_a_log_mean_nothing),
		cmocka_unit_test(the_ram_can_be_changed),
		cmocka_unit_test(the_ram_can_become_a_third),
		cmocka_unit_test(each_codec_and_page_size_works),
		cmocka_unit_test(a_child_has_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
