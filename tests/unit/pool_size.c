/* SPDX-License-Identifier: MIT */
#include "descriptors.h"
#include "pool_fixture.h"

#include "host/host.h"

/* How large pools are: in pages, and in RAM; opening, and hints. */

/* --- opening --------------------------------------------------------------------------- */

static void refused_options(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, 8), empty, pipes[2];
	const size_t before = descriptors();
	struct vms_pool_options options = {
		.struct_size = sizeof(options), .page_size = PAGE, .ram = SMALL_RAM,
	};
	struct vms_pool_options bad;

#define refused_with(field, value, error) \
	do { \
		bad = options; \
		bad.field = value; \
		refused_null(vms_pool_open(fd, &bad), error); \
	} while (0)
	refused_with(struct_size, 3, EINVAL);
	refused_with(struct_size, 100000, E2BIG);
	refused_with(flags, 0x10, EINVAL);
	refused_with(flags, 1u << 31, EINVAL);
	refused_with(page_size, 2048, EINVAL);
	refused_with(page_size, 4097, EINVAL);
	refused_with(page_size, (size_t)4 << 20, EINVAL);
	refused_with(ram, 8 * PAGE, EINVAL);
	refused_with(ram_most, SMALL_RAM - 1, EINVAL);
	refused_with(pages, 7, EINVAL);
	refused_with(pages, (UINT64_C(1) << 40) + 1, EINVAL);
	refused_with(depth, VMS_POOL_DEPTH_MOST + 1, EINVAL);
	refused_with(name, "a\nb", EINVAL);
	bad = options;
	bad.ram_most = (size_t)1 << 40;
	bad.pages = UINT64_C(1) << 30;
	refused_null(vms_pool_open(fd, &bad), EOVERFLOW);
	refused_null(vms_pool_open(-1, &options), EBADF);
	assert_int_equal(pipe(pipes), 0);
	refused_null(vms_pool_open(pipes[0], &options), EBADF);
	empty = open("/dev/null", O_RDWR);
	refused_null(vms_pool_open(empty, &options), ENOTSUP);
	assert_int_equal(close(empty), 0);
	assert_int_equal(close(pipes[0]), 0);
	assert_int_equal(close(pipes[1]), 0);
	assert_int_equal(ftruncate(fd, 0), 0);
	refused_null(vms_pool_open(fd, &options), EINVAL);
	assert_int_equal(descriptors(), before);
	assert_int_equal(close(fd), 0);
	worked(vms_pool_close(NULL));
}

static void defaults(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, 8);
	vms_pool *pool = vms_pool_open(fd, NULL);

	assert_non_null(pool);
	assert_int_equal(pool_stats(pool).pages, 8);
	assert_int_equal(pool_stats(pool).page_size, vmsi_page_size());
	must_be(pool, 7, 0);
	worked(vms_pool_close(pool));
	assert_int_equal(close(fd), 0);
}

/* ThreadSanitizer, for one, leaves a program less. */
static bool can_reserve_a_tebibyte(void)
{
	const size_t bytes = ((size_t)1 << 40) + ((size_t)1 << 32);
	const int error = errno;
	void *addresses = mmap(NULL, bytes, PROT_NONE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	errno = error;
	return addresses != MAP_FAILED && munmap(addresses, bytes) == 0;
}

static void a_pool_of_a_tebibyte(void **state)
{
	const struct place *place = *state;

	for (unsigned flags = 0; flags <= VMS_POOL_ADDRESSED; flags++) {
		int fd = make_pages(place->path, 0);
		vms_pool *pool;

		assert_int_equal(ftruncate(fd, (off_t)1 << 40), 0);
		pool = open_pool_of(fd, flags, 2 * SMALL_RAM, 0);
		if (!pool && !can_reserve_a_tebibyte()) {
			assert_int_equal(errno, ENOMEM);
			print_message("no tebibyte of addresses: skipped\n");
			skip();
		}
		assert_non_null(pool);
		for (uint64_t page = 0; page < 1 << 28; page += (1 << 20) - 1) {
			const char *bytes = must_fix(pool, page, VMS_POOL_READ);

			assert_true(page_is_zero(bytes));
			must_unfix(pool, page);
		}
		assert_true(pool_stats(pool).used <= 2 * SMALL_RAM);
		worked(vms_pool_close(pool));
		assert_int_equal(close(fd), 0);
	}
}

static void words_use_the_ram_up(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, 0);
	vms_pool *pool;
	uint64_t page = 0;

	assert_int_equal(ftruncate(fd, (off_t)1 << 40), 0);
	pool = open_pool_of(fd, 0, SMALL_RAM, 0);
	assert_non_null(pool);
	while (vms_pool_fix(pool, page, VMS_POOL_READ)) {
		must_unfix(pool, page);
		assert_true(pool_stats(pool).used <= SMALL_RAM);
		page += 512;
	}
	assert_int_equal(errno, ENOMEM);
	assert_true(page > 512 * 40);
	assert_true(pool_stats(pool).slots >= 16);
	(void)must_fix(pool, 0, VMS_POOL_READ);
	must_unfix(pool, 0);
	worked(vms_pool_close(pool));
	assert_int_equal(close(fd), 0);
}

/* --- pages ------------------------------------------------------------------------------- */

static void pools_grow(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, 4);
	vms_pool *pool = must_open_pool(fd, 0, SMALL_RAM, 100);

	refused_null(vms_pool_fix(pool, 4, VMS_POOL_READ), ERANGE);
	worked(vms_pool_grow(pool, 50));
	worked(vms_pool_grow(pool, 20));
	assert_int_equal(vms_pool_pages(pool), 50);
	assert_int_equal(size_of(place->path), 50 * PAGE);
	assert_true(page_is_zero(must_fix(pool, 49, VMS_POOL_READ)));
	must_unfix(pool, 49);
	refused(vms_pool_grow(pool, 101), ERANGE);
	worked(vms_pool_grow(pool, 100));
	worked(vms_pool_close(pool));
	assert_int_equal(close(fd), 0);
}

static void pages_are_allocated_and_freed(void **state)
{
	const struct place *place = *state;

	for (unsigned flags = 0; flags <= VMS_POOL_ADDRESSED; flags++) {
		int fd = make_pages(place->path, 4);
		vms_pool *pool = must_open_pool(fd, flags, SMALL_RAM, 300);
		uint64_t page = 0;

		errno = ERRNO_BEFORE;
		assert_true(page_is_zero(vms_pool_allocate(pool, &page)));
		assert_int_equal(errno, ERRNO_BEFORE);
		assert_int_equal(page, 4);
		assert_int_equal(vms_pool_pages(pool), 260);
		assert_int_equal(pool_stats(pool).free, 255);
		refused(vms_pool_free(pool, 4), EBUSY);
		must_unfix(pool, 4);
		change(pool, 2, 1, 0);
		worked(vms_pool_free(pool, 2));
		refused(vms_pool_free(pool, 2), EINVAL);
		worked(vms_pool_free(pool, 3));
		refused(vms_pool_free(pool, 5), EINVAL);
		refused(vms_pool_free(pool, 1000), ERANGE);
		assert_true(page_is_zero(vms_pool_allocate(pool, &page)));
		assert_int_equal(page, 2);
		must_unfix(pool, 2);
		for (uint64_t next = 3; next < 300; next++)
			if (next != 4) {
				assert_non_null(vms_pool_allocate(pool, &page));
				assert_int_equal(page, next);
				must_unfix(pool, page);
			}
		refused_null(vms_pool_allocate(pool, &page), ENOSPC);
		worked(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL));
		assert_int_equal(state_in_file(place->path, 2), -1);
		worked(vms_pool_close(pool));
		assert_int_equal(close(fd), 0);
	}
}

/* --- RAM ------------------------------------------------------------------------------------ */

static void ram_changes(void **state)
{
	const struct place *place = *state;

	for (unsigned flags = 0; flags <= VMS_POOL_ADDRESSED; flags++) {
		const struct vms_pool_options options = {
			.struct_size = sizeof(options),
			.flags = flags,
			.page_size = PAGE,
			.ram = SMALL_RAM,
			.ram_most = 4 * SMALL_RAM,
		};
		int fd = make_pages(place->path, FILE_PAGES);
		vms_pool *pool = vms_pool_open(fd, &options);
		uint64_t slots;

		assert_non_null(pool);
		slots = pool_stats(pool).slots;
		refused(vms_pool_set_ram(pool, 5 * SMALL_RAM), EINVAL);
		refused(vms_pool_set_ram(pool, PAGE), EINVAL);
		worked(vms_pool_set_ram(pool, 4 * SMALL_RAM));
		assert_true(pool_stats(pool).slots > slots);
		for (uint64_t page = 0; page < FILE_PAGES; page++)
			change(pool, page, 1, 0);
		assert_int_equal(pool_stats(pool).resident, FILE_PAGES);
		worked(vms_pool_set_ram(pool, SMALL_RAM));
		/* The records of slots that were made stay. */
		assert_true(pool_stats(pool).slots >= slots - 8);
		assert_true(pool_stats(pool).resident <= slots);
		assert_true(pool_stats(pool).used <= SMALL_RAM);
		for (uint64_t page = 0; page < FILE_PAGES; page++)
			must_be(pool, page, 1);
		/* Where not enough can go, all is as before. */
		worked(vms_pool_set_ram(pool, 4 * SMALL_RAM));
		for (uint64_t page = 0; page < FILE_PAGES; page++)
			(void)must_fix(pool, page, VMS_POOL_READ);
		refused(vms_pool_set_ram(pool, SMALL_RAM), ENOBUFS);
		assert_int_equal(pool_stats(pool).ram, 4 * SMALL_RAM);
		for (uint64_t page = 0; page < FILE_PAGES; page++)
			must_unfix(pool, page);
		worked(vms_pool_close(pool));
		assert_int_equal(close(fd), 0);
	}
}

static size_t resident_bytes(void)
{
	unsigned long long size = 0, resident = 0;
	FILE *file = fopen("/proc/self/statm", "r");

	assert_non_null(file);
	assert_int_equal(fscanf(file, "%llu %llu", &size, &resident), 2);
	assert_int_equal(fclose(file), 0);
	return resident * page_bytes();
}

/* What a sanitizer remembers of the memory counts, too. */
static bool has_sanitizer(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	return true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
	return true;
#else
	return false;
#endif
#else
	return false;
#endif
}

static void resident_memory_is_bounded(void **state)
{
	const struct place *place = *state;
	const size_t ram = (size_t)16 << 20, pages = 16384;

	for (unsigned flags = 0; flags <= VMS_POOL_ADDRESSED; flags++) {
		int fd = make_pages(place->path, 0);
		size_t before, most = 0;
		uint64_t random = 5;
		vms_pool *pool;

		assert_int_equal(ftruncate(fd, (off_t)(pages * PAGE)), 0);
		before = resident_bytes();
		pool = must_open_pool(fd, flags, ram, 0);
		for (unsigned i = 0; i < 20000; i++) {
			const uint64_t page = random >> 33 & (pages - 1);
			char *bytes = must_fix(pool, page, i % 4 ? VMS_POOL_READ :
								   VMS_POOL_WRITE);

			if (i % 4 == 0)
				bytes[i % PAGE] = 1;
			must_unfix(pool, page);
			random = random * UINT64_C(6364136223846793005) + 1442695;
			if (i % 500 == 0 && resident_bytes() > most)
				most = resident_bytes();
		}
		assert_true(pool_stats(pool).evictions > 1000);
		if (!has_sanitizer())
			assert_true(most <= before + ram + ram / 50 + (4 << 20));
		worked(vms_pool_close(pool));
		assert_int_equal(close(fd), 0);
	}
}

static void a_budget_is_charged(void **state)
{
	const struct place *place = *state;
	const struct vms_budget_options strict = {
		.struct_size = sizeof(strict),
		.limit = 2 * SMALL_RAM,
		.policy = VMS_COMMIT_STRICT,
	};
	struct vms_budget_stats stats = { .struct_size = sizeof(stats) };
	struct vms_pool_options options = {
		.struct_size = sizeof(options),
		.page_size = PAGE,
		.ram = 3 * SMALL_RAM,
		.budget = vms_budget_open(&strict),
	};
	int fd = make_pages(place->path, 8);
	vms_pool *pool;

	assert_non_null(options.budget);
	refused_null(vms_pool_open(fd, &options), ENOMEM);
	options.ram = SMALL_RAM;
	options.ram_most = 3 * SMALL_RAM;
	pool = vms_pool_open(fd, &options);
	assert_non_null(pool);
	worked(vms_pool_set_ram(pool, 2 * SMALL_RAM));
	refused(vms_pool_set_ram(pool, 3 * SMALL_RAM), ENOMEM);
	assert_int_equal(vms_budget_get_stats(options.budget, &stats), 0);
	assert_int_equal(stats.committed, 2 * SMALL_RAM);
	worked(vms_pool_close(pool));
	assert_int_equal(vms_budget_get_stats(options.budget, &stats), 0);
	assert_int_equal(stats.committed, 0);
	assert_int_equal(vms_budget_close(options.budget), 0);
	assert_int_equal(close(fd), 0);
}

/* A page far behind takes room for its word, and all slots are in use: more RAM is refused. */
static void a_refused_change_is_not_charged(void **state)
{
	const struct place *place = *state;
	struct vms_budget_stats stats = { .struct_size = sizeof(stats) };
	struct vms_pool_options options = {
		.struct_size = sizeof(options),
		.page_size = PAGE,
		.ram = SMALL_RAM,
		.ram_most = 2 * SMALL_RAM,
		.budget = vms_budget_open(NULL),
	};
	const uint64_t far = UINT64_C(1) << 22;
	int fd = make_pages(place->path, 8);
	uint64_t slots;
	vms_pool *pool;

	assert_non_null(options.budget);
	assert_int_equal(ftruncate(fd, (off_t)(far * PAGE)), 0);
	pool = vms_pool_open(fd, &options);
	assert_non_null(pool);
	slots = pool_stats(pool).slots;
	for (uint64_t page = 0; page < slots; page++)
		(void)must_fix(pool, page, VMS_POOL_READ);
	refused_null(vms_pool_fix(pool, far - 1, VMS_POOL_READ), ENOBUFS);
	refused(vms_pool_set_ram(pool, SMALL_RAM + 1), ENOBUFS);
	assert_int_equal(vms_budget_get_stats(options.budget, &stats), 0);
	assert_int_equal(stats.committed, SMALL_RAM);
	for (uint64_t page = 0; page < slots; page++)
		must_unfix(pool, page);
	worked(vms_pool_set_ram(pool, SMALL_RAM + 1));
	worked(vms_pool_close(pool));
	assert_int_equal(vms_budget_get_stats(options.budget, &stats), 0);
	assert_int_equal(stats.committed, 0);
	assert_int_equal(vms_budget_close(options.budget), 0);
	assert_int_equal(close(fd), 0);
}

/* --- hints, and what leaves --------------------------------------------------------------------- */

/* Pages of a hot set that a scan of the whole file leaves. */
static unsigned hot_pages_after_scan(vms_pool *pool, unsigned hot)
{
	unsigned left = 0;

	for (unsigned round = 0; round < 4; round++)
		for (uint64_t page = 0; page < hot; page++)
			must_be(pool, page, 0);
	for (uint64_t page = hot; page < FILE_PAGES; page++)
		must_be(pool, page, 0);
	for (uint64_t page = 0; page < hot; page++)
		if (vms_pool_try_fix(pool, page, VMS_POOL_READ)) {
			must_unfix(pool, page);
			left++;
		}
	return left;
}

static void a_scan_leaves_what_is_hot(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, FILE_PAGES);
	vms_pool *pool = must_open_pool(fd, 0, SMALL_RAM, 0);
	const unsigned hot = (unsigned)pool_stats(pool).slots * 8 / 10;

	assert_int_equal(hot_pages_after_scan(pool, hot), hot);
	worked(vms_pool_close(pool));
	assert_int_equal(close(fd), 0);
}

static bool is_there(vms_pool *pool, uint64_t page)
{
	if (!vms_pool_try_fix(pool, page, VMS_POOL_READ))
		return false;
	must_unfix(pool, page);
	return true;
}

static void hints(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, FILE_PAGES);
	vms_pool *pool = must_open_pool(fd, 0, SMALL_RAM, 0);

	must_be(pool, 0, 0);
	must_be(pool, 1, 0);
	worked(vms_pool_hint(pool, 0, VMS_POOL_KEEP));
	for (uint64_t page = 2; page < FILE_PAGES; page++)
		must_be(pool, page, 0);
	assert_true(is_there(pool, 0));
	assert_false(is_there(pool, 1));
	for (int i = 0; i < 3; i++)
		must_be(pool, FILE_PAGES - 2, 0);
	worked(vms_pool_hint(pool, FILE_PAGES - 2, VMS_POOL_DONE));
	worked(vms_pool_hint(pool, FILE_PAGES - 1, VMS_POOL_ONCE));
	for (uint64_t page = 1; page < 100; page++)
		must_be(pool, page, 0);
	assert_false(is_there(pool, FILE_PAGES - 2));
	worked(vms_pool_hint(pool, FILE_PAGES - 2, VMS_POOL_DONE));
	refused(vms_pool_hint(pool, 0, (enum vms_pool_hint)9), EINVAL);
	refused(vms_pool_hint(pool, FILE_PAGES, VMS_POOL_KEEP), ERANGE);
	worked(vms_pool_close(pool));
	assert_int_equal(close(fd), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		file_test(refused_options),
		file_test(defaults),
		file_test(a_pool_of_a_tebibyte),
		file_test(words_use_the_ram_up),
		file_test(pools_grow),
		file_test(pages_are_allocated_and_freed),
		file_test(ram_changes),
		file_test(resident_memory_is_bounded),
		file_test(a_budget_is_charged),
		file_test(a_refused_change_is_not_charged),
		file_test(a_scan_leaves_what_is_hot),
		file_test(hints),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
