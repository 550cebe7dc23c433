/* SPDX-License-Identifier: MIT */
#include "swap_fixture.h"

#include <dirent.h>

#include "host/host.h"

/* Which files a store takes for its swap file, and in which directories it makes one. */

#define COUNT 1500u

static char path[] = "swap-path-XXXXXX";
static struct vmsi_io *io;
static struct vmsi_host_calls real;

static int set_up(void **state)
{
	const int fd = mkstemp(path);

	(void)state;
	if (fd < 0)
		return -1;
	close(fd);
	io = open_threads();
	real = vmsi_host;
	return unlink(path);
}

static int tear_down(void **state)
{
	(void)state;
	vmsi_host = real;
	(void)unlink(path);
	vmsi_io_close(io);
	memcpy(path + sizeof(path) - 7, "XXXXXX", 6);
	return 0;
}

static int try_to_open(void)
{
	const struct vmsi_swap_options options = small_options(io, path);
	struct vmsi_swap *swap = NULL;
	const int error = vmsi_swap_open(&options, &swap);

	if (error)
		assert_null(swap);
	else
		vmsi_swap_close(swap);
	return error;
}

static void make_empty(mode_t mode)
{
	const int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	assert_true(fd >= 0);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

/* --- what is there ------------------------------------------------------------------ */

static void what_is_no_file_is_refused(void **state)
{
	(void)state;
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(try_to_open(), -EEXIST);
	unlink(path);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	assert_int_equal(try_to_open(), -EEXIST);
}

static void what_others_may_use_is_refused(void **state)
{
	char other[sizeof(path) + 2];

	(void)state;
	make_empty(0644);
	assert_int_equal(try_to_open(), -EPERM);
	make_empty(0600);
	(void)snprintf(other, sizeof(other), "%s-2", path);
	assert_int_equal(link(path, other), 0);
	assert_int_equal(try_to_open(), -EPERM);
	assert_int_equal(unlink(other), 0);
	assert_int_equal(try_to_open(), 0);
}

static long another_user(void)
{
	return (long)geteuid() + 1;
}

/* A program that may open everybody's files would show its memory to the owner. */
static void what_belongs_to_others_is_refused(void **state)
{
	(void)state;
	make_empty(0600);
	vmsi_host.user = another_user;
	assert_int_equal(try_to_open(), -EPERM);
	/* What the store makes is its own, whoever a file system says it belongs to. */
	unlink(path);
	assert_int_equal(try_to_open(), 0);
	assert_int_equal(try_to_open(), -EPERM);
	vmsi_host.user = real.user;
	assert_int_equal(try_to_open(), 0);
}

/* --- directories -------------------------------------------------------------------- */

/* Pages are in the file, and come back. */
static void use(struct vmsi_swap *swap)
{
	static uint64_t places[COUNT];

	for (unsigned i = 0; i < COUNT; i++)
		assert_int_equal(put_page(swap, PAGE, PAGE_HALF, i, &places[i]), 0);
	assert_true(figures_of(swap).in_file > 0);
	for (unsigned i = 0; i < COUNT; i++)
		expect_page(swap, PAGE, PAGE_HALF, i, places[i]);
}

static void a_directory_has_a_file_without_a_name(void **state)
{
	const struct vmsi_swap_options options = small_options(io, path);
	struct vmsi_swap *swap;

	(void)state;
	assert_int_equal(mkdir(path, 0700), 0);
	swap = open_swap(&options);
	use(swap);
	/* It is empty. */
	assert_int_equal(rmdir(path), 0);
	vmsi_swap_close(swap);
}

/* As some network and older file systems are. */
static long open_with_a_name(const char *name, int flags, mode_t mode)
{
	return (flags & O_TMPFILE) == O_TMPFILE ? -EOPNOTSUPP :
						  real.open_file(name, flags, mode);
}

static void a_file_may_have_a_name_for_a_moment(void **state)
{
	const struct vmsi_swap_options options = small_options(io, path);
	struct vmsi_swap *swap, *other;

	(void)state;
	assert_int_equal(mkdir(path, 0700), 0);
	vmsi_host.open_file = open_with_a_name;
	swap = open_swap(&options);
	other = open_swap(&options);
	use(swap);
	assert_int_equal(rmdir(path), 0);
	vmsi_swap_close(swap);
	vmsi_swap_close(other);
	assert_int_equal(try_to_open(), 0);
}

static long refuse_unlink(const char *name)
{
	(void)name;
	return -EROFS;
}

static void remove_one_in(const char *directory)
{
	DIR *list = opendir(directory);
	const struct dirent *entry;

	assert_non_null(list);
	while ((entry = readdir(list)) && entry->d_name[0] == '.')
		;
	assert_non_null(entry);
	assert_int_equal(unlinkat(dirfd(list), entry->d_name, 0), 0);
	(void)closedir(list);
}

/* Else it would stay there after a death of the process, with what was in memory. */
static void a_name_that_stays_is_refused(void **state)
{
	(void)state;
	assert_int_equal(mkdir(path, 0700), 0);
	vmsi_host.open_file = open_with_a_name;
	vmsi_host.unlink = refuse_unlink;
	assert_int_equal(try_to_open(), -EROFS);
	remove_one_in(path);
	assert_int_equal(rmdir(path), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_no_file_is_refused),
		TEST(what_others_may_use_is_refused),
		TEST(what_belongs_to_others_is_refused),
		TEST(a_directory_has_a_file_without_a_name),
		TEST(a_file_may_have_a_name_for_a_moment),
		TEST(a_name_that_stays_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
