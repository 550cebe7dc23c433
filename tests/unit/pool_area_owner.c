/* SPDX-License-Identifier: MIT */
#include "pool_area_batches.h"

/* Whose an area is, and who may read or write it. */

/* --- whose it is -------------------------------------------------------------------------------------- */

static void another_file_gets_nothing(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, AREA_PAGES), other;
	struct left_area left = three_batches(place, fd), after;
	char path[128];

	(void)snprintf(path, sizeof(path), "%s.other", place->path);
	other = make_pages(path, AREA_PAGES);
	assert_int_equal(try_to_open(place, other, &left), ESTALE);
	assert_int_equal(state_in_file(path, 10), 0);
	/* The file's own pool finds it as it was. */
	after = copy_area(place);
	assert_int_equal(after.length, left.length);
	assert_memory_equal(after.bytes, left.bytes, left.length);
	assert_int_equal(try_to_open(place, fd, &after), 0);
	must_be_in_file(place, 10, 1);
	/* What has nothing pending is anybody's. */
	put_batch(&left, 3, 2, 20, 3);
	head_of(&left, 3)->count = 0;
	vmsi_area_head_finish(header_of(&left), head_of(&left, 3));
	assert_int_equal(try_to_open(place, other, &left), ESTALE);
	memset(head_of(&left, 1), 0, VMSI_AREA_HEAD_BYTES);
	memset(head_of(&left, 2), 0, VMSI_AREA_HEAD_BYTES);
	memset(head_of(&left, 3), 0, VMSI_AREA_HEAD_BYTES);
	assert_int_equal(try_to_open(place, other, &left), 0);
	free_area(&left);
	free_area(&after);
	assert_int_equal(close(other), 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(close(fd), 0);
}

static void other_files_are_left_alone(void **state)
{
	const struct place *place = *state;
	char text[] = "something that is dear to somebody";
	char zeros[3 * 4096] = { 0 };
	struct left_area left = { text, sizeof(text) };
	struct left_area nothing = { zeros, sizeof(zeros) }, after;
	int fd = make_pages(place->path, AREA_PAGES);

	assert_int_equal(try_to_open(place, fd, &left), EEXIST);
	after = copy_area(place);
	assert_int_equal(after.length, left.length);
	assert_memory_equal(after.bytes, text, sizeof(text));
	free_area(&after);
	assert_int_equal(try_to_open(place, fd, &nothing), EEXIST);
	/* A machine may have stopped when the header was to be written. */
	nothing.length = 4096;
	assert_int_equal(try_to_open(place, fd, &nothing), 0);
	assert_int_equal(unlink(area_path(place)), 0);
	assert_int_equal(mkdir(area_path(place), 0700), 0);
	refused_null(open_whole(place, fd, 0), EEXIST);
	assert_int_equal(rmdir(area_path(place)), 0);
	assert_int_equal(symlink(place->path, area_path(place)), 0);
	refused_null(open_whole(place, fd, 0), EEXIST);
	assert_int_equal(unlink(area_path(place)), 0);
	assert_int_equal(mkfifo(area_path(place), 0600), 0);
	refused_null(open_whole(place, fd, 0), EEXIST);
	assert_int_equal(unlink(area_path(place)), 0);
	assert_int_equal(link(place->path, area_path(place)), 0);
	refused_null(open_whole(place, fd, 0), EEXIST);
	must_be_in_file(place, 0, 0);
	assert_int_equal(close(fd), 0);
}

/* One that is empty, or has a page of zeros, is as an area that was just made. */
static void the_file_is_no_area(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, 1);
	const struct vms_pool_options options = {
		.struct_size = sizeof(options),
		.flags = VMS_POOL_WHOLE_PAGES,
		.page_size = PAGE,
		.ram = AREA_RAM,
		.pages = AREA_PAGES,
		.area = place->path,
	};

	for (off_t size = 0; size <= (off_t)PAGE; size += (off_t)PAGE) {
		struct stat status;

		assert_int_equal(ftruncate(fd, 0), 0);
		assert_int_equal(ftruncate(fd, size), 0);
		refused_null(vms_pool_open(fd, &options), EEXIST);
		assert_int_equal(fstat(fd, &status), 0);
		assert_int_equal(status.st_size, size);
	}
	assert_int_equal(close(fd), 0);
}

/* By another name somebody else may have it. */
static void link_area(const struct place *place, const struct left_area *left, int fd)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "%s.link", place->path);
	assert_int_equal(link(area_path(place), path), 0);
	assert_int_equal(try_to_open(place, fd, left), EPERM);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(try_to_open(place, fd, left), 0);
}

static void only_its_owner_may_write_it(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, AREA_PAGES);
	struct left_area left = three_batches(place, fd);
	struct stat status;

	assert_int_equal(stat(area_path(place), &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
	assert_int_equal(chmod(area_path(place), 0620), 0);
	assert_int_equal(try_to_open(place, fd, &left), EPERM);
	must_be_in_file(place, 10, 0);
	assert_int_equal(chmod(area_path(place), 0644), 0);
	assert_int_equal(try_to_open(place, fd, &left), 0);
	put_area(place, &left);
	link_area(place, &left, fd);
	free_area(&left);
	assert_int_equal(close(fd), 0);
}

#define SOMEBODY 4711

/* Only root can give a file away. */
static void its_owner_is_the_files(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, AREA_PAGES);
	struct left_area left = three_batches(place, fd);

	put_area(place, &left);
	if (chown(area_path(place), SOMEBODY, SOMEBODY) != 0) {
		assert_int_equal(errno, EPERM);
		print_message("# a file cannot be given away here\n");
	} else {
		assert_int_equal(try_to_open(place, fd, &left), EPERM);
		must_be_in_file(place, 10, 0);
		assert_int_equal(fchown(fd, SOMEBODY, SOMEBODY), 0);
		assert_int_equal(try_to_open(place, fd, &left), 0);
	}
	free_area(&left);
	assert_int_equal(close(fd), 0);
}

static void one_pool_has_it(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, AREA_PAGES);
	vms_pool *pool = must_open_whole(place, fd), *other;

	refused_null(open_whole(place, fd, 0), EBUSY);
	refused_null(open_whole(place, fd, VMS_POOL_READ_ONLY), EBUSY);
	worked(vms_pool_close(pool));
	/* Readers share it. */
	pool = open_whole(place, fd, VMS_POOL_READ_ONLY);
	other = open_whole(place, fd, VMS_POOL_READ_ONLY);
	assert_non_null(pool);
	assert_non_null(other);
	refused_null(open_whole(place, fd, 0), EBUSY);
	worked(vms_pool_close(pool));
	worked(vms_pool_close(other));
	pool = must_open_whole(place, fd);
	worked(vms_pool_close(pool));
	assert_int_equal(close(fd), 0);
}

/* --- to read only ------------------------------------------------------------------------------------- */

static void who_reads_only_is_told_what_is_pending(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, AREA_PAGES);
	struct left_area left = three_batches(place, fd), after;
	vms_pool *pool;

	put_area(place, &left);
	refused_null(open_whole(place, fd, VMS_POOL_READ_ONLY), EROFS);
	after = copy_area(place);
	assert_int_equal(after.length, left.length);
	assert_memory_equal(after.bytes, left.bytes, left.length);
	must_be_in_file(place, 10, 0);
	/* A file that has all of it is as good as one that was closed. */
	assert_int_equal(try_to_open(place, fd, &left), 0);
	put_batch(&left, 1, 0, 30, 0);
	put_batch(&left, 2, 0, 31, 0);
	put_area(place, &left);
	pool = open_whole(place, fd, VMS_POOL_READ_ONLY);
	assert_non_null(pool);
	must_be(pool, 20, 3);
	worked(vms_pool_close(pool));
	/* It does not make one. */
	assert_int_equal(unlink(area_path(place)), 0);
	pool = open_whole(place, fd, VMS_POOL_READ_ONLY);
	assert_non_null(pool);
	worked(vms_pool_close(pool));
	assert_int_equal(access(area_path(place), F_OK), -1);
	free_area(&left);
	free_area(&after);
	assert_int_equal(close(fd), 0);
}

static void the_flag_and_the_path_go_together(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, AREA_PAGES);
	struct vms_pool_options options = {
		.struct_size = sizeof(options),
		.ram = AREA_RAM,
		.area = area_path(place),
	};

	refused_null(vms_pool_open(fd, &options), EINVAL);
	options.area = NULL;
	options.flags = VMS_POOL_WHOLE_PAGES;
	refused_null(vms_pool_open(fd, &options), EINVAL);
	options.area = "/no/such/directory/area";
	refused_null(vms_pool_open(fd, &options), ENOENT);
	/* A program of before the area knows neither. */
	options.flags = 0;
	options.struct_size = offsetof(struct vms_pool_options, area);
	worked(vms_pool_close(vms_pool_open(fd, &options)));
	assert_int_equal(close(fd), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		area_test(another_file_gets_nothing),
		area_test(other_files_are_left_alone),
		area_test(the_file_is_no_area),
		area_test(only_its_owner_may_write_it),
		area_test(its_owner_is_the_files),
		area_test(one_pool_has_it),
		area_test(who_reads_only_is_told_what_is_pending),
		area_test(the_flag_and_the_path_go_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
