/* SPDX-License-Identifier: MIT */
#include "commit_fixture.h"

/* Commits beside readers who stay in an access. */

/* The first byte of a page, as a reader sees it in an access. */
static char read_byte(const char *path, uint64_t page)
{
	vms_file *reader = must_open(path, VMS_FILE_ATOMIC | VMS_FILE_READ_ONLY,
				     PAGES * page_bytes());
	struct vms_file_access access;
	char byte;

	worked(vms_file_begin_access(reader, &access));
	byte = *(const char *)vms_file_at(reader, page * page_bytes(), 1);
	worked(vms_file_end_access(&access, NULL));
	worked(vms_file_close(reader));
	return byte;
}

static void a_commit_does_not_wait_for_a_reader_who_stays(void **state)
{
	const struct place *place = *state;
	vms_file *file = open_pages(place->path, TELLING);
	vms_file *reader = must_open(place->path,
				     VMS_FILE_ATOMIC | VMS_FILE_READ_ONLY,
				     PAGES * page_bytes());
	const char *seen = vms_file_at(reader, 3 * page_bytes(), 1);
	struct vms_file_access access;

	store(file, 3, 'a');
	worked(vms_file_commit(file));
	worked(vms_file_begin_access(reader, &access));
	assert_int_equal(*seen, 'a');
	for (char byte = 'b'; byte <= 'd'; byte++) {
		store(file, 3, byte);
		store(file, (uint64_t)byte % PAGES, byte);
		worked(vms_file_commit(file));
		assert_int_equal(*seen, 'a');
		assert_int_equal(home_byte(place->path, 3), 'a');
		assert_int_equal(read_byte(place->path, 3), byte);
		assert_int_equal(*(char *)vms_file_at(file, 3 * page_bytes(), 1),
				 byte);
	}
	worked(vms_file_end_access(&access, NULL));
	store(file, 5, 'e');
	worked(vms_file_commit(file));
	assert_int_equal(home_byte(place->path, 3), 'd');
	assert_int_equal(home_byte(place->path, 'c' % PAGES), 'c');
	assert_int_equal(home_byte(place->path, 5), 'e');
	worked(vms_file_begin_access(reader, &access));
	assert_int_equal(*seen, 'd');
	worked(vms_file_end_access(&access, NULL));
	worked(vms_file_close(reader));
	worked(vms_file_close(file));
}

/* A writer that stops has left it all in the journal. */
static void what_a_reader_held_up_outlasts_the_writer(void **state)
{
	const struct place *place = *state;
	vms_file *reader;
	struct vms_file_access access;
	vms_file *file = open_pages(place->path, TELLING);
	int begun[2], told[2];
	char byte = 0;
	pid_t child;

	worked(vms_file_close(file));
	assert_int_equal(pipe(begun), 0);
	assert_int_equal(pipe(told), 0);
	child = fork();
	if (child == 0) {
		file = open_file(place->path, &(struct vms_file_options){
			.struct_size = sizeof(struct vms_file_options),
			.flags = TELLING, .maximum = PAGES * page_bytes() });
		child_needs(file && write(told[1], "o", 1) == 1);
		child_needs(read(begun[0], &byte, 1) == 1);
		child_needs(vms_file_will_write(file, 0, 1) == 0);
		*(char *)vms_file_at(file, 0, 1) = 'z';
		child_needs(vms_file_commit(file) == 0);
		_exit(0);
	}
	assert_int_equal(read(told[0], &byte, 1), 1);
	reader = must_open(place->path, VMS_FILE_ATOMIC | VMS_FILE_READ_ONLY,
			   PAGES * page_bytes());
	worked(vms_file_begin_access(reader, &access));
	assert_int_equal(write(begun[1], "x", 1), 1);
	must_end_well(child);
	assert_int_equal(*(const char *)vms_file_at(reader, 0, 1), 0);
	assert_int_equal(home_byte(place->path, 0), 0);
	worked(vms_file_end_access(&access, NULL));
	worked(vms_file_close(reader));
	assert_int_equal(read_byte(place->path, 0), 'z');
	file = open_pages(place->path, TELLING);
	assert_int_equal(home_byte(place->path, 0), 'z');
	worked(vms_file_close(file));
	for (int i = 0; i < 2; i++) {
		assert_int_equal(close(begun[i]), 0);
		assert_int_equal(close(told[i]), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		file_test(a_commit_does_not_wait_for_a_reader_who_stays),
		file_test(what_a_reader_held_up_outlasts_the_writer),
	};

	return cmocka_run_group_tests_name("file_commit_readers", tests, NULL, NULL);
}
