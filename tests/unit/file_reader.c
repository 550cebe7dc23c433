/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "file_fixture.h"
#include "host/host.h"

/* What those see of an atomic file who only read it, and what their accesses cost. */

#define PAGES 64

/* cmocka sets a handler of its own before each test; the library's is put back. */
static struct sigaction guard;

static void learn_guard(void)
{
	struct place *place;
	vms_file *file;

	if (make_place((void **)&place) != 0)
		abort();
	file = open_with(place->path, VMS_FILE_CREATE, 0);
	if (!file || vms_file_close(file) != 0 ||
	    sigaction(SIGBUS, NULL, &guard) != 0)
		abort();
	(void)drop_place((void **)&place);
}

static vms_file *open_writer(const char *path)
{
	return must_open(path, VMS_FILE_ATOMIC | VMS_FILE_TELLS | VMS_FILE_CREATE,
			 PAGES * page_bytes());
}

static vms_file *open_reader(const char *path)
{
	return must_open(path, VMS_FILE_ATOMIC | VMS_FILE_READ_ONLY,
			 PAGES * page_bytes());
}

/* A commit after which the file has so many pages of a byte. */
static int commit_pages(vms_file *file, uint64_t pages, char byte)
{
	const uint64_t bytes = pages * page_bytes();

	if (vms_file_resize(file, bytes) != 0 ||
	    vms_file_will_write(file, 0, bytes) != 0)
		return -1;
	memset(vms_file_at(file, 0, bytes), byte, bytes);
	return vms_file_commit(file);
}

static int read_page(vms_file *file, uint64_t page, char *byte)
{
	struct vms_file_access access;

	worked(vms_file_begin_access(file, &access));
	*byte = *((volatile char *)vms_file_at(file, 0, 1) + page * page_bytes());
	return vms_file_end_access(&access, NULL);
}

static void what_was_cut_off_is_seen_again(void **state)
{
	const struct place *place = *state;
	vms_file *file = open_writer(place->path);
	vms_file *reader;
	char byte;

	sigaction(SIGBUS, &guard, NULL);
	worked(commit_pages(file, 8, 'a'));
	reader = open_reader(place->path);
	worked(read_page(reader, 5, &byte));
	assert_int_equal(byte, 'a');
	worked(commit_pages(file, 1, 'a'));
	refused(read_page(reader, 5, &byte), ENXIO);
	worked(commit_pages(file, 8, 'b'));
	/* What has been lost stays so until it is refreshed. */
	refused(read_page(reader, 5, &byte), ENXIO);
	worked(vms_file_refresh(reader));
	worked(read_page(reader, 5, &byte));
	assert_int_equal(byte, 'b');
	worked(vms_file_copy_out(reader, 5 * page_bytes(), &byte, 1));
	worked(vms_file_close(reader));
	worked(vms_file_close(file));
}

/* Shorter or longer: the bounds of a copy are those of the commit that it is from. */
static void a_copy_is_of_the_latest_commit(void **state)
{
	const struct place *place = *state;
	vms_file *file = open_writer(place->path);
	vms_file *reader;
	char bytes[100];

	worked(commit_pages(file, 2, 'a'));
	reader = open_reader(place->path);
	worked(vms_file_resize(file, 10));
	worked(vms_file_commit(file));
	refused(vms_file_copy_out(reader, 0, bytes, sizeof(bytes)), ERANGE);
	worked(vms_file_copy_out(reader, 0, bytes, 10));
	worked(commit_pages(file, 8, 'b'));
	worked(vms_file_copy_out(reader, 7 * page_bytes(), bytes, sizeof(bytes)));
	assert_int_equal(bytes[sizeof(bytes) - 1], 'b');
	refused(vms_file_copy_in(reader, 0, bytes, 1), EBADF);
	worked(vms_file_close(reader));
	worked(vms_file_close(file));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		file_test(what_was_cut_off_is_seen_again),
		file_test(a_copy_is_of_the_latest_commit),
	};

	learn_guard();
	return cmocka_run_group_tests_name("file_reader", tests, NULL, NULL);
}
