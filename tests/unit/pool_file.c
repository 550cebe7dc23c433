/* SPDX-License-Identifier: MIT */
#include <signal.h>
#include <sys/resource.h>

#include "pool_fixture.h"

#include "host/host.h"
#include "host/uring.h"

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

static int no_ring(struct vmsi_uring *ring, unsigned entries)
{
	(void)ring;
	(void)entries;
	return -EPERM;
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
