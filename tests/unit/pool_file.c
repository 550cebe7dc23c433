/* SPDX-License-Identifier: MIT */
#include <signal.h>
#include <sys/resource.h>

#include "pool_fixture.h"

#include "host/host.h"
#include "no_ring.h"

/* What files pools can be over, and what others do with them meanwhile. */

static struct vmsi_host_calls real;
static struct vmsi_uring_calls real_uring;
static long open_error;

static int set_up(void **state)
{
	real = vmsi_host;
	real_uring = vmsi_uring;
	return make_place(state);
}

static int tear_down(void **state)
{
	vmsi_host = real;
	vmsi_uring = real_uring;
	return drop_place(state);
}

#define pool_file_test(function) \
	cmocka_unit_test_setup_teardown(function, set_up, tear_down)

static long refused_open(const char *path, int flags, mode_t mode)
{
	(void)path;
	(void)flags;
	(void)mode;
	return open_error;
}

static off_t length_of(const char *path)
{
	struct stat status;

	assert_int_equal(stat(path, &status), 0);
	return status.st_size;
}

/* --- what it is -------------------------------------------------------------------------- */

/* To open the end of a FIFO that reads again would wait for one that writes. */
static void a_fifo_is_refused_at_once(void **state)
{
	const struct place *place = *state;
	int fd;

	assert_int_equal(mkfifo(place->path, 0600), 0);
	fd = open(place->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	assert_true(fd >= 0);
	refused_null(open_pool_of(fd, VMS_POOL_READ_ONLY, SMALL_RAM, 8), ENOTSUP);
	assert_int_equal(close(fd), 0);
}

static void a_place_is_not_open_for_reading(void **state)
{
	const struct place *place = *state;
	int fd;

	assert_int_equal(close(make_pages(place->path, 8)), 0);
	fd = open(place->path, O_PATH | O_CLOEXEC);
	assert_true(fd >= 0);
	refused_null(open_pool_of(fd, VMS_POOL_READ_ONLY, SMALL_RAM, 0), EBADF);
	refused_null(open_pool_of(fd, 0, SMALL_RAM, 0), EBADF);
	assert_int_equal(close(fd), 0);
}

static void read_only(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, FILE_PAGES);
	vms_pool *pool;
	uint64_t page = 0;

	assert_int_equal(close(fd), 0);
	fd = open(place->path, O_RDONLY | O_CLOEXEC);
	refused_null(open_pool_of(fd, 0, SMALL_RAM, 0), EBADF);
	pool = must_open_pool(fd, VMS_POOL_READ_ONLY, SMALL_RAM, 0);
	must_be(pool, 3, 0);
	refused_null(vms_pool_fix(pool, 3, VMS_POOL_WRITE), EACCES);
	refused_null(vms_pool_try_fix(pool, 3, VMS_POOL_WRITE), EACCES);
	refused_null(vms_pool_allocate(pool, &page), EACCES);
	refused(vms_pool_free(pool, 3), EACCES);
	refused(vms_pool_grow(pool, FILE_PAGES + 1), EACCES);
	worked(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL));
	worked(vms_pool_close(pool));
	assert_int_equal(close(fd), 0);
}

/* --- O_APPEND ------------------------------------------------------------------------------ */

static void pages_are_written_in_their_place(void **state)
{
	const struct place *place = *state;
	vms_pool *pool;
	int fd;

	assert_int_equal(close(make_pages(place->path, 8)), 0);
	fd = open(place->path, O_RDWR | O_APPEND | O_CLOEXEC);
	assert_true(fd >= 0);
	pool = must_open_pool(fd, 0, SMALL_RAM, 0);
	change(pool, 3, 1, 0);
	worked(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL));
	assert_int_equal(state_in_file(place->path, 3), 1);
	assert_int_equal(length_of(place->path), 8 * (off_t)PAGE);
	worked(vms_pool_close(pool));
	assert_int_equal(close(fd), 0);
}

/*
 * A file that may only be added to (chattr +a) cannot be opened again without O_APPEND, nor
 * can any where /proc is missing: then only a descriptor without it will do.
 */
static void pages_are_never_appended(void **state)
{
	static const int errors[] = { ENOENT, EACCES, EPERM };
	const struct place *place = *state;
	vms_pool *pool;
	int fd = make_pages(place->path, 8), appends;

	appends = open(place->path, O_RDWR | O_APPEND | O_CLOEXEC);
	assert_true(appends >= 0);
	vmsi_host.open_file = refused_open;
	for (size_t i = 0; i < 3; i++) {
		open_error = -errors[i];
		refused_null(open_pool_of(appends, 0, SMALL_RAM, 0), errors[i]);
		pool = must_open_pool(appends, VMS_POOL_READ_ONLY, SMALL_RAM, 0);
		must_be(pool, 3, 0);
		worked(vms_pool_close(pool));
	}
	pool = must_open_pool(fd, 0, SMALL_RAM, 0);
	change(pool, 3, 1, 0);
	worked(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL));
	assert_int_equal(state_in_file(place->path, 3), 1);
	worked(vms_pool_close(pool));
	assert_int_equal(close(appends), 0);
	assert_int_equal(close(fd), 0);
}

/* --- how long it is -------------------------------------------------------------------------- */

static void what_others_have_added_is_not_cut(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, 8);
	vms_pool *pool = must_open_pool(fd, 0, SMALL_RAM, 4096);
	uint64_t page = 0;

	assert_int_equal(ftruncate(fd, 1000 * (off_t)PAGE), 0);
	worked(vms_pool_grow(pool, 16));
	assert_int_equal(length_of(place->path), 1000 * (off_t)PAGE);
	assert_non_null(vms_pool_allocate(pool, &page));
	must_unfix(pool, page);
	assert_int_equal(length_of(place->path), 1000 * (off_t)PAGE);
	worked(vms_pool_grow(pool, 2000));
	assert_int_equal(length_of(place->path), 2000 * (off_t)PAGE);
	worked(vms_pool_close(pool));
	assert_int_equal(close(fd), 0);
}

static void limit_to(rlim_t bytes)
{
	const struct rlimit limit = { .rlim_cur = bytes, .rlim_max = RLIM_INFINITY };

	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* The kernel would end the process, and all that was not flushed with it. */
static void a_limit_is_an_error_and_no_signal(const struct place *place)
{
	int fd = make_pages(place->path, 64);
	vms_pool *pool = must_open_pool(fd, VMS_POOL_NO_WRITER, SMALL_RAM, 4096);
	uint64_t page = 0;

	change(pool, 3, 1, 0);
	change(pool, 40, 1, 0);
	limit_to(32 * PAGE);
	refused(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL), EFBIG);
	refused(vms_pool_grow(pool, 65), EFBIG);
	refused_null(vms_pool_allocate(pool, &page), EFBIG);
	limit_to(RLIM_INFINITY);
	assert_int_equal(state_in_file(place->path, 3), 1);
	assert_int_equal(state_in_file(place->path, 40), 0);
	limit_to(32 * PAGE);
	refused(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL), EFBIG);
	limit_to(RLIM_INFINITY);
	worked(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL));
	assert_int_equal(state_in_file(place->path, 40), 1);
	worked(vms_pool_close(pool));
	assert_int_equal(close(fd), 0);
}

static void a_limit(void **state)
{
	struct sigaction action = { .sa_handler = SIG_DFL }, earlier;

	assert_int_equal(sigaction(SIGXFSZ, &action, &earlier), 0);
	a_limit_is_an_error_and_no_signal(*state);
	vmsi_uring.open = no_ring;
	a_limit_is_an_error_and_no_signal(*state);
	assert_int_equal(sigaction(SIGXFSZ, &earlier, NULL), 0);
}

/* --- huge pages ------------------------------------------------------------------------------- */

/* Whether the host has a mapping's flag, which is two letters; -1: it does not tell. */
static int has_flag(const void *address, const char *flag)
{
	FILE *maps = fopen("/proc/self/smaps", "re");
	unsigned long start, end;
	bool is_inside = false;
	char line[512];
	int answer = -1;

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			is_inside = (uintptr_t)address >= start && (uintptr_t)address < end;
		else if (is_inside && strncmp(line, "VmFlags:", 8) == 0)
			answer = strstr(line, flag) != NULL;
	}
	(void)fclose(maps);
	return answer;
}

/* The kernel would make huge pages of what is left of some, and take RAM for that. */
static void frames_that_are_given_back_stay_so(void **state)
{
	const struct place *place = *state;
	const struct vms_pool_options options = {
		.struct_size = sizeof(options),
		.page_size = PAGE,
		.ram = 2 * SMALL_RAM,
	};
	int fd = make_pages(place->path, FILE_PAGES);
	vms_pool *pool = vms_pool_open(fd, &options);
	char *frame;

	assert_non_null(pool);
	for (uint64_t page = 0; page < FILE_PAGES; page++)
		must_be(pool, page, 0);
	frame = must_fix(pool, FILE_PAGES - 1, VMS_POOL_READ);
	must_unfix(pool, FILE_PAGES - 1);
	if (has_flag(frame, " hg") <= 0) {
		worked(vms_pool_close(pool));
		assert_int_equal(close(fd), 0);
		(void)printf("# this kernel has no huge pages on demand\n");
		skip();
	}
	worked(vms_pool_set_ram(pool, SMALL_RAM));
	assert_int_equal(has_flag(frame, " nh"), 1);
	worked(vms_pool_set_ram(pool, 2 * SMALL_RAM));
	for (uint64_t page = 0; page < FILE_PAGES; page++)
		must_be(pool, page, 0);
	assert_int_equal(has_flag(frame, " hg"), 1);
	worked(vms_pool_close(pool));
	assert_int_equal(close(fd), 0);
}

/* --- locked memory ---------------------------------------------------------------------------- */

static void read_all(vms_pool *pool)
{
	for (uint64_t page = 0; page < FILE_PAGES; page++)
		must_be(pool, page, 0);
}

/*
 * Neighbours leave by one call, of which the kernel does the part before a page that the
 * program has locked: they must not be taken for there.
 */
static void a_locked_page_leaves_and_its_neighbours(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, FILE_PAGES);
	vms_pool *pool = must_open_pool(fd, VMS_POOL_ADDRESSED, SMALL_RAM, 0);

	for (uint64_t page = 0; page < FILE_PAGES; page++) {
		const char *bytes = must_fix(pool, page, VMS_POOL_READ);

		if (page == 7)
			assert_int_equal(mlock(bytes, PAGE), 0);
		must_unfix(pool, page);
	}
	read_all(pool);
	read_all(pool);
	worked(vms_pool_close(pool));
	assert_int_equal(close(fd), 0);
}

/* --- long files -------------------------------------------------------------------------------- */

/* A growth makes an eighth of the pages free, which takes no memory for each. */
static void pages_that_nobody_has_had_take_no_memory(void **state)
{
	const struct place *place = *state;
	const uint64_t count = UINT64_C(1) << 30;
	int fd = make_pages(place->path, 8);
	size_t before;
	uint64_t page = 0;
	vms_pool *pool;

	if (ftruncate(fd, (off_t)(count * PAGE)) != 0) {
		(void)printf("# no file is so long: %s\n", strerror(errno));
		assert_int_equal(close(fd), 0);
		skip();
	}
	pool = must_open_pool(fd, 0, SMALL_RAM, 2 * count);
	before = resident_pages();
	assert_non_null(vms_pool_allocate(pool, &page));
	must_unfix(pool, page);
	assert_int_equal(page, count);
	assert_int_equal(pool_stats(pool).free, vms_pool_pages(pool) - count - 1);
	assert_true(vms_pool_pages(pool) >= count + count / 8);
	assert_true((resident_pages() - before) * page_bytes() < (size_t)2 << 20);
	/* The first that is free comes first, whether it was ever used or not. */
	worked(vms_pool_grow(pool, vms_pool_pages(pool) + 8));
	worked(vms_pool_free(pool, vms_pool_pages(pool) - 1));
	worked(vms_pool_free(pool, 3));
	refused(vms_pool_free(pool, count + 1), EINVAL);
	for (unsigned i = 0; i < 2; i++) {
		assert_non_null(vms_pool_allocate(pool, &page));
		must_unfix(pool, page);
		assert_int_equal(page, i ? count + 1 : 3);
	}
	worked(vms_pool_close(pool));
	assert_int_equal(close(fd), 0);
}

/* The bits of free pages take memory where they are few and far apart. */
static void free_pages_count(void **state)
{
	const struct place *place = *state;
	const uint64_t step = PAGE * 8;
	int fd = make_pages(place->path, 8);
	uint64_t used, page;
	vms_pool *pool;

	assert_int_equal(ftruncate(fd, (off_t)1 << 38), 0);
	pool = must_open_pool(fd, 0, 2 * SMALL_RAM, 0);
	used = pool_stats(pool).used;
	for (page = 40 * step; page < 60 * step; page += step)
		worked(vms_pool_free(pool, page));
	assert_true(pool_stats(pool).used >= used + 2 * 20 * page_bytes());
	for (uint64_t next = 40 * step; next < 60 * step; next += step) {
		assert_non_null(vms_pool_allocate(pool, &page));
		assert_int_equal(page, next);
		must_unfix(pool, page);
	}
	worked(vms_pool_close(pool));
	assert_int_equal(close(fd), 0);
}

static long very_much_memory(size_t *bytes)
{
	*bytes = (size_t)8 << 40;
	return 0;
}

/* An eighth of the memory may be more than pages of this size can be told apart in. */
static void a_large_machine_has_a_default(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, 8);
	vms_pool *pool;

	vmsi_host.memory_size = very_much_memory;
	assert_int_equal(ftruncate(fd, (off_t)1 << 38), 0);
	pool = vms_pool_open(fd, NULL);
	assert_non_null(pool);
	assert_true(pool_stats(pool).ram >= (size_t)60 << 30);
	must_be(pool, 7, 0);
	worked(vms_pool_close(pool));
	assert_int_equal(close(fd), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pool_file_test(a_fifo_is_refused_at_once),
		pool_file_test(a_place_is_not_open_for_reading),
		pool_file_test(read_only),
		pool_file_test(pages_are_written_in_their_place),
		pool_file_test(pages_are_never_appended),
		pool_file_test(what_others_have_added_is_not_cut),
		pool_file_test(a_limit),
		pool_file_test(a_locked_page_leaves_and_its_neighbours),
		pool_file_test(pages_that_nobody_has_had_take_no_memory),
		pool_file_test(free_pages_count),
		pool_file_test(a_large_machine_has_a_default),
		pool_file_test(frames_that_are_given_back_stay_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
