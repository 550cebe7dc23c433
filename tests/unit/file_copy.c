/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <stdatomic.h>

#include "guard_fixture.h"

/* Copies from a file and into one, with checks. */

static char bytes[FILE_PAGES << 16];

static void expect_copied(uint64_t offset, size_t length)
{
	errno = ERRNO_BEFORE;
	memset(bytes, 0, length);
	assert_int_equal(vms_file_copy_out(file, offset, bytes, length), 0);
	assert_int_equal(errno, ERRNO_BEFORE);
	for (size_t i = 0; i < length; i++)
		if (bytes[i] != (char)((offset + i) / page() + 1))
			fail_msg("byte %zu is wrong", i);
}

static void expect_refused(int result, int error)
{
	assert_int_equal(result, -1);
	assert_int_equal(errno, error);
}

static void they_copy_what_is_there(void **state)
{
	(void)state;
	open_with(0);
	expect_copied(page() - 3, 2 * page());
	errno = ERRNO_BEFORE;
	assert_int_equal(vms_file_copy_in(file, page() - 1, "ab", 2), 0);
	assert_int_equal(errno, ERRNO_BEFORE);
	assert_int_equal(at_page(1)[-1], 'a');
	assert_int_equal(*at_page(1), 'b');
}

static void they_stay_in_the_file(void **state)
{
	const uint64_t size = FILE_PAGES * page();

	(void)state;
	open_with(0);
	assert_int_equal(vms_file_copy_out(file, size, bytes, 0), 0);
	expect_copied(size - 1, 1);
	expect_refused(vms_file_copy_out(file, size, bytes, 1), ERANGE);
	expect_refused(vms_file_copy_out(file, size + 1, bytes, 0), ERANGE);
	expect_refused(vms_file_copy_in(file, size - 1, bytes, 2), ERANGE);
	expect_refused(vms_file_copy_out(file, UINT64_MAX, bytes, 2), ERANGE);
	expect_refused(vms_file_copy_out(file, 1, bytes, SIZE_MAX), ERANGE);
}

static void nothing_goes_into_a_file_that_is_only_read(void **state)
{
	(void)state;
	open_with(VMS_FILE_READ_ONLY);
	expect_copied(0, 3 * page());
	expect_refused(vms_file_copy_in(file, 0, "a", 1), EBADF);
}

static void only_losses_in_the_range_fail_them(void **state)
{
	struct vms_file_access access;

	(void)state;
	open_with(0);
	cut(4 * page());
	expect_refused(vms_file_copy_out(file, 3 * page(), bytes, page() + 1),
		       ENXIO);
	expect_copied(0, 4 * page());
	expect_refused(vms_file_copy_in(file, 4 * page(), "a", 1), ENXIO);
	expect_copied(3 * page(), page());
	begin(&access);
	expect_copied(0, page());
	end_lost(&access, ENXIO, 4);
	write_pages(path, FILE_PAGES);
	expect_refused(vms_file_copy_out(file, 4 * page(), bytes, 1), ENXIO);
	assert_int_equal(vms_file_refresh(file), 0);
	expect_copied(0, FILE_PAGES * page());
}

static void a_range_that_is_lost_is_not_written_in_part(void **state)
{
	(void)state;
	open_with(0);
	cut(4 * page());
	expect_refused(vms_file_copy_out(file, 4 * page(), bytes, 1), ENXIO);
	memset(bytes, 'x', 2 * page());
	expect_refused(vms_file_copy_in(file, 3 * page(), bytes, 2 * page()),
		       ENXIO);
	expect_copied(3 * page(), page());
}

static void a_file_of_windows_is_copied_by_system_calls(void **state)
{
	const struct vms_file_options options = {
		.struct_size = sizeof(options),
		.window_addresses = 4 * page(),
	};

	(void)state;
	file = vms_file_open(path, &options);
	assert_non_null(file);
	expect_copied(page() - 3, 2 * page());
	assert_int_equal(vms_file_copy_in(file, 0, "\1\1", 2), 0);
	cut(2 * page());
	expect_refused(vms_file_copy_out(file, page(), bytes, page() + 1), ENXIO);
	expect_copied(0, 2 * page());
}

/* No fault tells that the file ends within the page. */
static void what_is_past_the_end_in_a_page_is_an_error(void **state)
{
	const size_t end = 2 * page() + 10;
	char some[20];

	(void)state;
	open_with(0);
	cut(end);
	assert_int_equal(vms_file_copy_out(file, end - 20, some, 20), 0);
	assert_int_equal(vms_file_copy_in(file, end - 20, some, 20), 0);
	assert_int_equal(vms_file_copy_out(file, end - 19, some, 20), -1);
	assert_int_equal(errno, ENXIO);
	assert_int_equal(vms_file_copy_in(file, end + 5, some, 20), -1);
	assert_int_equal(errno, ENXIO);
	/* Zeros that the file has are no loss. */
	memset(some, 0, sizeof(some));
	assert_int_equal(vms_file_copy_in(file, 0, some, 20), 0);
	assert_int_equal(vms_file_copy_out(file, 0, some, 20), 0);
}

/* --- beside one that makes the file shorter ------------------------------------------------ */

#define RESIZES 3000
#define TELLERS 6

static atomic_bool resizes_are_done;

/* An atomic file grows by a commit, and is cut by a rollback. */
static void *resize_again_and_again(void *argument)
{
	const bool rolls_back = argument != NULL;

	for (int i = 0; i < RESIZES; i++) {
		must(vms_file_resize(file, FILE_PAGES * page()) == 0);
		if (rolls_back)
			must(vms_file_rollback(file) == 0);
		else
			must(vms_file_resize(file, page()) == 0);
	}
	atomic_store(&resizes_are_done, true);
	return NULL;
}

static void copy_beside_resizes(unsigned flags, bool rolls_back)
{
	const size_t length = (FILE_PAGES - 2) * page();
	char *mine = malloc(length);
	pthread_t thread;

	(void)signal(SIGSEGV, SIG_DFL);
	must(truncate(path, (off_t)page()) == 0);
	open_with(flags);
	atomic_store(&resizes_are_done, false);
	must(pthread_create(&thread, NULL, resize_again_and_again,
			    rolls_back ? mine : NULL) == 0);
	while (!atomic_load(&resizes_are_done)) {
		must(vms_file_copy_out(file, page(), mine, length) == 0 ||
		     errno == ERANGE);
		must(vms_file_copy_in(file, page(), mine, length) == 0 ||
		     errno == ERANGE);
	}
	must(pthread_join(thread, NULL) == 0);
	free(mine);
	must(vms_file_close(file) == 0);
}

static void copy_into_private(void)
{
	copy_beside_resizes(VMS_FILE_PRIVATE, false);
}

static void copy_into_atomic(void)
{
	copy_beside_resizes(VMS_FILE_ATOMIC, false);
}

static void *tell_again_and_again(void *argument)
{
	while (!atomic_load(&resizes_are_done))
		must(vms_file_will_write(file, page(),
					 (FILE_PAGES - 1) * page()) == 0 ||
		     errno == ERANGE);
	return argument;
}

/* What was told to be written may have been cut off when it is to be committed. */
static void tell_and_commit(void)
{
	pthread_t threads[1 + TELLERS];

	(void)signal(SIGSEGV, SIG_DFL);
	must(truncate(path, (off_t)page()) == 0);
	open_with(VMS_FILE_ATOMIC | VMS_FILE_TELLS);
	must(pthread_create(&threads[0], NULL, resize_again_and_again, NULL) == 0);
	for (int i = 1; i <= TELLERS; i++)
		must(pthread_create(&threads[i], NULL, tell_again_and_again,
				    NULL) == 0);
	while (!atomic_load(&resizes_are_done))
		must(vms_file_commit(file) == 0);
	for (int i = 0; i <= TELLERS; i++)
		must(pthread_join(threads[i], NULL) == 0);
	must(vms_file_close(file) == 0);
}

static void copy_beside_rollbacks(void)
{
	copy_beside_resizes(VMS_FILE_ATOMIC | VMS_FILE_TELLS, true);
}

static void they_touch_nothing_that_is_cut_off(void **state)
{
	(void)state;
	assert_int_equal(status_of(copy_into_private), 0);
	assert_int_equal(status_of(copy_into_atomic), 0);
	assert_int_equal(status_of(tell_and_commit), 0);
	assert_int_equal(status_of(copy_beside_rollbacks), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FILE(they_copy_what_is_there),
		WITH_FILE(they_stay_in_the_file),
		WITH_FILE(nothing_goes_into_a_file_that_is_only_read),
		WITH_FILE(only_losses_in_the_range_fail_them),
		WITH_FILE(a_range_that_is_lost_is_not_written_in_part),
		WITH_FILE(a_file_of_windows_is_copied_by_system_calls),
		WITH_FILE(what_is_past_the_end_in_a_page_is_an_error),
		WITH_FILE(they_touch_nothing_that_is_cut_off),
	};

	return cmocka_run_group_tests_name("file_copy", tests, NULL, NULL);
}
