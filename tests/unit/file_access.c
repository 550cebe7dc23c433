/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mount.h>

#include "file/file.h"
#include "file/view.h"
#include "guard_fixture.h"

/* Accesses: what is gone of a file reads as zeros, and the end of the access fails. */

static void an_access_of_a_whole_file_ends_well(void **state)
{
	struct vms_file_access access;

	(void)state;
	open_with(0);
	begin(&access);
	assert_int_equal(*at_page(0), 1);
	*at_page(FILE_PAGES - 1) = 77;
	end_whole(&access);
	assert_int_equal(file_stats().losses, 0);
}

static void what_was_cut_off_reads_as_zeros(void **state)
{
	struct vms_file_access access;

	(void)state;
	open_with(0);
	cut(4 * page() + 100);
	begin(&access);
	errno = ERRNO_BEFORE;
	assert_int_equal(*at_page(7), 0);
	assert_int_equal(errno, ERRNO_BEFORE);
	*at_page(8) = 5;
	assert_int_equal(*at_page(8), 5);
	assert_int_equal(*at_page(3), 4);
	assert_int_equal(*at_page(4), 5);
	end_lost(&access, ENXIO, 7);
	assert_int_equal(file_stats().losses, 1);
	assert_int_equal(file_stats().losses_outside, 0);
}

static void a_file_that_is_only_read_loses_the_same(void **state)
{
	struct vms_file_access access;

	(void)state;
	open_with(VMS_FILE_READ_ONLY);
	cut(0);
	begin(&access);
	assert_int_equal(*at_page(0), 0);
	end_lost(&access, ENXIO, 0);
}

static void a_loss_stays_until_refresh(void **state)
{
	struct vms_file_access access;

	(void)state;
	open_with(0);
	cut(4 * page());
	begin(&access);
	assert_int_equal(*at_page(9), 0);
	end_lost(&access, ENXIO, 9);
	write_pages(path, FILE_PAGES);
	begin(&access);
	assert_int_equal(*at_page(9), 0);
	end_lost(&access, ENXIO, 4);
	assert_int_equal(vms_file_refresh(file), 0);
	begin(&access);
	assert_int_equal(*at_page(9), 10);
	*at_page(9) = 99;
	end_whole(&access);
	/* It is the file again, and no copy of it. */
	assert_int_equal(file_stats().losses, 1);
	vms_file_close(file);
	open_with(VMS_FILE_READ_ONLY);
	assert_int_equal(*at_page(9), 99);
}

static void an_access_that_saw_a_loss_fails_after_refresh_too(void **state)
{
	struct vms_file_access access;

	(void)state;
	open_with(0);
	cut(page());
	begin(&access);
	assert_int_equal(*at_page(2), 0);
	write_pages(path, FILE_PAGES);
	assert_int_equal(vms_file_refresh(file), 0);
	assert_int_equal(*at_page(2), 3);
	end_lost(&access, ENXIO, 2);
}

static void a_large_cut_takes_one_signal(void **state)
{
	const uint64_t size = (uint64_t)1 << 30;
	struct vms_file_access access;

	(void)state;
	cut(size);
	open_with(0);
	cut(page());
	begin(&access);
	/* A page that is touched takes memory, so not all of them are. */
	for (uint64_t at = page(); at < size; at += 64 * page())
		assert_int_equal(*(char *)vms_file_at(file, at, 1), 0);
	end_lost(&access, ENXIO, 1);
	assert_int_equal(file_stats().losses, 1);
}

static void a_private_file_keeps_what_was_written_and_not_cut_off(void **state)
{
	struct vms_file_access access;

	(void)state;
	open_with(VMS_FILE_PRIVATE);
	for (size_t i = 0; i < FILE_PAGES; i++)
		*at_page(i) = (char)(100 + i);
	cut(4 * page());
	begin(&access);
	/* The kernel has taken the private pages as well. */
	for (size_t i = 4; i < FILE_PAGES; i++)
		assert_int_equal(*at_page(i), 0);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(*at_page(i), 100 + i);
	end_lost(&access, ENXIO, 4);
	assert_int_equal(file_stats().losses, 1);
	write_pages(path, FILE_PAGES);
	assert_int_equal(vms_file_refresh(file), 0);
	assert_int_equal(*at_page(3), 103);
	assert_int_equal(*at_page(4), 5);
}

static void what_a_private_file_has_beyond_the_file_stays(void **state)
{
	struct vms_file_access access;

	(void)state;
	open_with(VMS_FILE_PRIVATE);
	assert_int_equal(vms_file_resize(file, (FILE_PAGES + 4) * page()), 0);
	*at_page(FILE_PAGES + 2) = 55;
	cut(4 * page());
	begin(&access);
	assert_int_equal(*at_page(8), 0);
	assert_int_equal(*at_page(FILE_PAGES + 2), 55);
	end_lost(&access, ENXIO, 8);
	/* Nor is it taken for what was lost at its place before. */
	assert_int_equal(vms_file_resize(file, 8 * page()), 0);
	assert_int_equal(vms_file_resize(file, FILE_PAGES * page()), 0);
	*at_page(8) = 66;
	assert_int_equal(vms_file_refresh(file), 0);
	assert_int_equal(*at_page(8), 66);
}

static void accesses_nest(void **state)
{
	struct vms_file_access outer, middle, inner;
	vms_file *first;
	char copy[sizeof(path)];

	(void)state;
	open_with(0);
	first = file;
	strcpy(copy, path);
	begin(&outer);
	assert_int_equal(make_path(state), 0);
	open_with(0);
	cut(page());
	begin(&middle);
	begin(&inner);
	assert_int_equal(*at_page(5), 0);
	end_lost(&inner, ENXIO, 5);
	assert_int_equal(*at_page(6), 0);
	end_lost(&middle, ENXIO, 5);
	remove_path(state);
	file = first;
	strcpy(path, copy);
	assert_int_equal(*at_page(5), 6);
	end_whole(&outer);
}

static void past_the_size_it_is_one_page(void **state)
{
	struct vms_file_access access;
	volatile char *past;

	(void)state;
	open_with(0);
	past = at_page(0) + (FILE_PAGES + 3) * page();
	begin(&access);
	assert_int_equal(*past, 0);
	end_lost(&access, ENXIO, FILE_PAGES + 3);
	assert_int_equal(file_stats().losses, 1);
}

/* --- several threads and views ---------------------------------------------------- */

static atomic_int step;

static void wait_for(int wanted)
{
	while (atomic_load(&step) < wanted)
		sched_yield();
}

static void *read_what_another_has_lost(void *result)
{
	struct vms_file_access access;
	uint64_t offset = 0;
	char seen;

	vms_file_begin_access(file, &access);
	atomic_store(&step, 1);
	wait_for(2);
	seen = *(char *)vms_file_at(file, 6 * page(), 1);
	*(int *)result = vms_file_end_access(&access, &offset) == -1 &&
		errno == ENXIO && seen == 0 && offset == 5 * page();
	return NULL;
}

static void it_fails_in_each_thread_that_may_have_seen_it(void **state)
{
	struct vms_file_access access;
	pthread_t thread;
	int result = 0;

	(void)state;
	open_with(0);
	atomic_store(&step, 0);
	assert_int_equal(pthread_create(&thread, NULL,
					read_what_another_has_lost, &result), 0);
	wait_for(1);
	cut(5 * page());
	begin(&access);
	assert_int_equal(*at_page(5), 0);
	end_lost(&access, ENXIO, 5);
	atomic_store(&step, 2);
	pthread_join(thread, NULL);
	assert_int_equal(result, 1);
}

static volatile char *map_window(struct vmsi_view **view, uint64_t offset,
				 size_t length)
{
	char *window = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED,
			    file->fd, (off_t)offset);

	assert_ptr_not_equal(window, MAP_FAILED);
	*view = vmsi_view_add(file, (struct vmsi_range){
		(uintptr_t)window, (uintptr_t)window + length }, offset);
	assert_non_null(*view);
	return window;
}

static void each_view_is_guarded_and_mended(void **state)
{
	enum { VIEWS = 1000, WINDOW_PAGES = 4 };
	static struct vmsi_view *views[VIEWS];
	static volatile char *windows[VIEWS];
	struct vms_file_access access;

	(void)state;
	open_with(0);
	for (size_t i = 0; i < VIEWS; i++)
		windows[i] = map_window(&views[i], i % 12 * page(),
					WINDOW_PAGES * page());
	cut(2 * page());
	begin(&access);
	for (size_t i = 0; i < VIEWS; i++)
		assert_int_equal(windows[i][3 * page()], 0);
	end_lost(&access, ENXIO, 3);
	assert_int_equal(file_stats().losses, VIEWS);
	write_pages(path, FILE_PAGES);
	assert_int_equal(vms_file_refresh(file), 0);
	for (size_t i = 0; i < VIEWS; i++)
		assert_int_equal(windows[i][3 * page()], i % 12 + 4);
	for (size_t i = 0; i < VIEWS; i++) {
		vmsi_view_remove(views[i]);
		munmap((void *)windows[i], WINDOW_PAGES * page());
	}
}

static void a_view_that_moved_is_known_by_its_new_offset(void **state)
{
	struct vms_file_access access;
	struct vmsi_view *view;
	volatile char *window;

	(void)state;
	open_with(0);
	window = map_window(&view, 0, page());
	assert_ptr_equal(mmap((void *)window, page(), PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_FIXED, file->fd,
			      (off_t)(9 * page())), window);
	vmsi_view_move(view, 9 * page());
	cut(0);
	begin(&access);
	assert_int_equal(*window, 0);
	end_lost(&access, ENXIO, 9);
	vmsi_view_remove(view);
	munmap((void *)window, page());
}

/* --- fork ------------------------------------------------------------------------- */

static struct vms_file_access across_fork;

static void go_on_in_child(void)
{
	if (*at_page(5) != 0 ||
	    vms_file_end_access(&across_fork, NULL) != -1 || errno != ENXIO)
		_exit(1);
	write_pages(path, FILE_PAGES);
	if (vms_file_refresh(file) != 0 || *at_page(5) != 6)
		_exit(2);
}

static void a_child_goes_on_with_the_access(void **state)
{
	(void)state;
	open_with(0);
	begin(&across_fork);
	cut(page());
	assert_int_equal(status_of(go_on_in_child), 0);
	/* What the child has lost, the parent has not. */
	assert_int_equal(*at_page(5), 6);
	end_whole(&across_fork);
}

/* --- what cannot be read ----------------------------------------------------------- */

#define FULL_DIRECTORY "/tmp/vmspace-full-XXXXXX"

/* A file system with no room for most of a sparse file. NULL: none can be mounted. */
static const char *mount_full(char *directory)
{
	if (!mkdtemp(directory))
		return NULL;
	if (unshare(CLONE_NEWNS) == 0 &&
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	    mount("none", directory, "tmpfs", 0, "size=256k") == 0)
		return directory;
	rmdir(directory);
	return NULL;
}

static void lose_inside_the_file(const char *name)
{
	const size_t pages = 1024;
	struct vms_file_access access;
	uint64_t offset = 0;
	size_t lost = 0;

	file = vms_file_open(name, NULL);
	assert_non_null(file);
	guard_again();
	begin(&access);
	for (size_t i = 0; i < pages; i++)
		*at_page(i) = 1;
	assert_int_equal(vms_file_end_access(&access, &offset), -1);
	assert_int_equal(errno, EIO);
	lost = (size_t)file_stats().losses;
	assert_true(lost > 0 && lost < pages);
	assert_int_equal(offset, (pages - lost) * page());
	vms_file_close(file);
	file = NULL;
}

static void what_is_within_the_file_is_an_error_of_input_or_output(void **state)
{
	char directory[] = FULL_DIRECTORY;
	char name[64];
	int fd;

	(void)state;
	if (!mount_full(directory)) {
		print_message("# no tmpfs can be mounted here: %s\n",
			      strerror(errno));
		skip();
	}
	snprintf(name, sizeof(name), "%s/file", directory);
	fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)(1024 * page())), 0);
	close(fd);
	lose_inside_the_file(name);
	assert_int_equal(umount(directory), 0);
	rmdir(directory);
}

/* --- outside of an access ----------------------------------------------------------- */

static void outside_too_by_option(void **state)
{
	struct vms_file_access access;

	(void)state;
	open_with(VMS_FILE_ZERO_OUTSIDE);
	cut(3 * page());
	assert_int_equal(*at_page(4), 0);
	assert_int_equal(file_stats().losses_outside, 1);
	begin(&access);
	end_lost(&access, ENXIO, 3);
}

/* What a thread stores there goes nowhere, in an access or not. */
static void a_sync_of_what_is_lost_fails(void **state)
{
	struct vms_file_access access;

	(void)state;
	open_with(0);
	cut(0);
	begin(&access);
	assert_int_equal(*at_page(2), 0);
	end_lost(&access, ENXIO, 2);
	write_pages(path, FILE_PAGES);
	*at_page(2) = 'x';
	errno = ERRNO_BEFORE;
	assert_int_equal(vms_file_sync(file, 2 * page() + 1, 1, 0), -1);
	assert_int_equal(errno, ENXIO);
	assert_int_equal(vms_file_sync(file, 0, 0, VMS_FILE_SYNC_ALL), -1);
	assert_int_equal(errno, ENXIO);
	assert_int_equal(vms_file_refresh(file), 0);
	assert_int_equal(vms_file_sync(file, 0, 0, VMS_FILE_SYNC_ALL), 0);
	assert_int_equal(*at_page(2), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FILE(an_access_of_a_whole_file_ends_well),
		WITH_FILE(what_was_cut_off_reads_as_zeros),
		WITH_FILE(a_file_that_is_only_read_loses_the_same),
		WITH_FILE(a_loss_stays_until_refresh),
		WITH_FILE(an_access_that_saw_a_loss_fails_after_refresh_too),
		WITH_FILE(a_large_cut_takes_one_signal),
		WITH_FILE(a_private_file_keeps_what_was_written_and_not_cut_off),
		WITH_FILE(what_a_private_file_has_beyond_the_file_stays),
		WITH_FILE(accesses_nest),
		WITH_FILE(past_the_size_it_is_one_page),
		WITH_FILE(it_fails_in_each_thread_that_may_have_seen_it),
		WITH_FILE(each_view_is_guarded_and_mended),
		WITH_FILE(a_view_that_moved_is_known_by_its_new_offset),
		WITH_FILE(a_child_goes_on_with_the_access),
		WITH_FILE(outside_too_by_option),
		WITH_FILE(what_is_within_the_file_is_an_error_of_input_or_output),
		WITH_FILE(a_sync_of_what_is_lost_fails),
	};

	return cmocka_run_group_tests_name("file_access", tests, NULL, NULL);
}
