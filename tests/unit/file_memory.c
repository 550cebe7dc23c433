/* SPDX-License-Identifier: MIT */
#include "file_fixture.h"

/* What of a file is in memory, and seeing what others have done. */

static size_t resident_pages(void *start, size_t pages)
{
	unsigned char resident[64];
	size_t count = 0;

	assert_true(pages <= sizeof(resident));
	assert_int_equal(mincore(start, pages * page_bytes(), resident), 0);
	for (size_t i = 0; i < pages; i++)
		count += resident[i] & 1;
	return count;
}

static void drops_and_loses_nothing(void **state)
{
	const struct place *place = *state;
	const size_t page = page_bytes();
	const size_t length = 32 * page;
	vms_file *file = must_open(place->path, VMS_FILE_CREATE, 0);
	char *bytes;

	worked(vms_file_resize(file, length));
	bytes = vms_file_at(file, 0, length);
	memset(bytes, 'd', length);
	worked(vms_file_drop(file, 0, length));
	for (size_t i = 0; i < length; i++)
		assert_int_equal(bytes[i], 'd');
	worked(vms_file_sync(file, 0, 0, 0));
	worked(vms_file_drop(file, 1, length - 1));
	/* Where the file system can let pages go at all. */
	if (resident_pages(bytes, 32) < 32)
		assert_int_equal(resident_pages(bytes, 32), 0);
	worked(vms_file_prefetch(file, 0, length));
	assert_int_equal(bytes[length - 1], 'd');
	refused(vms_file_drop(file, 1, length), ERANGE);
	refused(vms_file_prefetch(file, length, 1), ERANGE);
	worked(vms_file_drop(file, length, 0));
	worked(vms_file_close(file));
}

static void drops_nothing_of_a_private_file(void **state)
{
	const struct place *place = *state;
	const size_t page = page_bytes();
	char *bytes = calloc(8, page);
	vms_file *file;
	char *at;

	write_file(place->path, bytes, 8 * page);
	file = must_open(place->path, VMS_FILE_PRIVATE, 0);
	at = vms_file_at(file, 0, 8 * page);
	memset(at, 'p', 8 * page);
	worked(vms_file_drop(file, 0, 8 * page));
	for (size_t i = 0; i < 8 * page; i++)
		assert_int_equal(at[i], 'p');
	worked(vms_file_prefetch(file, 0, 8 * page));
	worked(vms_file_close(file));
	free(bytes);
}

static void advises(void **state)
{
	const struct place *place = *state;
	const size_t page = page_bytes();
	const struct vms_file_options windowed = {
		.struct_size = sizeof(windowed), .window_addresses = 1 << 20 };
	vms_file *file = must_open(place->path, VMS_FILE_CREATE, 0);

	worked(vms_file_resize(file, 3 * page + 1));
	worked(vms_file_advise(file, 1, 3 * page, MADV_RANDOM));
	worked(vms_file_advise(file, 3 * page, 1, MADV_WILLNEED));
	worked(vms_file_advise(file, 0, 0, MADV_NORMAL));
	refused(vms_file_advise(file, 3 * page, 2, MADV_RANDOM), ERANGE);
	refused(vms_file_advise(file, 0, page, 9999), EINVAL);
	/* A hole is punched, as madvise(2) has it. */
	*(char *)vms_file_at(file, page, 1) = 'x';
	worked(vms_file_advise(file, page, page, MADV_REMOVE));
	assert_int_equal(*(char *)vms_file_at(file, page, 1), 0);
	worked(vms_file_close(file));
	file = open_file(place->path, &windowed);
	refused(vms_file_advise(file, 0, page, MADV_RANDOM), ENXIO);
	worked(vms_file_prefetch(file, 0, page));
	worked(vms_file_drop(file, 0, page));
	worked(vms_file_close(file));
}

static void sees_what_others_have_done(void **state)
{
	const struct place *place = *state;
	const size_t page = page_bytes();
	vms_file *file;
	int fd;

	write_file(place->path, "abc", 3);
	file = must_open(place->path, VMS_FILE_READ_ONLY, 4 * page);
	fd = open(place->path, O_RDWR);
	assert_int_equal(pwrite(fd, "end", 3, (off_t)(4 * page - 3)), 3);
	assert_int_equal(vms_file_size(file), 3);
	worked(vms_file_refresh(file));
	assert_int_equal(vms_file_size(file), 4 * page);
	assert_memory_equal(vms_file_at(file, 4 * page - 3, 3), "end", 3);
	assert_int_equal(ftruncate(fd, 1), 0);
	worked(vms_file_refresh(file));
	assert_int_equal(vms_file_size(file), 1);
	refused_null(vms_file_at(file, 1, 1), ERANGE);
	assert_int_equal(ftruncate(fd, (off_t)(4 * page + 1)), 0);
	refused(vms_file_refresh(file), EFBIG);
	assert_int_equal(vms_file_size(file), 4 * page);
	assert_int_equal(close(fd), 0);
	worked(vms_file_close(file));
}

/* What was written privately stays where the file grows. */
static void a_private_file_follows(void **state)
{
	const struct place *place = *state;
	const size_t page = page_bytes();
	char *bytes = calloc(4, page);
	vms_file *file;

	memset(bytes, 'f', 4 * page);
	write_file(place->path, bytes, page);
	file = must_open(place->path, VMS_FILE_PRIVATE, 0);
	*(char *)vms_file_at(file, 0, 1) = 'p';
	write_file(place->path, bytes, 4 * page);
	worked(vms_file_refresh(file));
	assert_int_equal(vms_file_size(file), 4 * page);
	assert_int_equal(*(char *)vms_file_at(file, 4 * page - 1, 1), 'f');
	assert_int_equal(truncate(place->path, 1), 0);
	worked(vms_file_refresh(file));
	assert_int_equal(vms_file_size(file), 1);
	worked(vms_file_close(file));
	free(bytes);
}

/* A part that was lost is there again, after a refresh. */
static void mends_what_was_lost(void **state)
{
	const struct place *place = *state;
	const size_t page = page_bytes();
	vms_file *file = must_open(place->path, VMS_FILE_CREATE, 0);
	struct vms_file_access access;
	uint64_t at = 0;
	volatile char *bytes;

	worked(vms_file_resize(file, 4 * page));
	bytes = vms_file_at(file, 0, 4 * page);
	bytes[3 * page] = 'x';
	assert_int_equal(truncate(place->path, (off_t)page), 0);
	worked(vms_file_begin_access(file, &access));
	assert_int_equal(bytes[3 * page], 0);
	refused(vms_file_end_access(&access, &at), ENXIO);
	assert_int_equal(at, 3 * page);
	assert_int_equal(truncate(place->path, (off_t)(4 * page)), 0);
	worked(vms_file_refresh(file));
	bytes[3 * page] = 'y';
	worked(vms_file_close(file));
	file = must_open(place->path, VMS_FILE_READ_ONLY, 0);
	assert_int_equal(*(char *)vms_file_at(file, 3 * page, 1), 'y');
	worked(vms_file_close(file));
}

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

/* Advice that loses pages loses what was written and not committed. */
static void an_atomic_file_loses_nothing_by_advice(void **state)
{
	static const int losing[] = {
		MADV_DONTNEED, MADV_FREE, MADV_REMOVE, MADV_WIPEONFORK,
		MADV_HWPOISON, MADV_GUARD_INSTALL, 9999,
	};
	const struct place *place = *state;
	const size_t page = page_bytes();
	vms_file *file = must_open(place->path,
				   VMS_FILE_CREATE | VMS_FILE_ATOMIC, 0);
	char *at;

	worked(vms_file_resize(file, 4 * page));
	at = vms_file_at(file, 0, 4 * page);
	memset(at, 'A', 4 * page);
	for (size_t i = 0; i < sizeof(losing) / sizeof(losing[0]); i++)
		refused(vms_file_advise(file, 0, 2 * page, losing[i]), EINVAL);
	worked(vms_file_advise(file, 0, 2 * page, MADV_RANDOM));
	for (size_t i = 0; i < 4 * page; i++)
		assert_int_equal(at[i], 'A');
	worked(vms_file_close(file));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		/* First: cmocka puts its own handler of SIGBUS before each test. */
		file_test(mends_what_was_lost),
		file_test(drops_and_loses_nothing),
		file_test(drops_nothing_of_a_private_file),
		file_test(advises),
		file_test(sees_what_others_have_done),
		file_test(a_private_file_follows),
		file_test(an_atomic_file_loses_nothing_by_advice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
