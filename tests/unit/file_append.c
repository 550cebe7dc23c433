/* SPDX-License-Identifier: MIT */
#include <pthread.h>

#include "file_fixture.h"
#include "host/host.h"

/* Appending to a file to which others append. */

#define KIB ((size_t)1024)
#define MIB (KIB * KIB)
#define GIB (KIB * MIB)

/* --- several at once --------------------------------------------------------------------- */

#define RECORDS 300
#define WRITERS 4

struct record {
	uint32_t writer, number;
	char rest[92];
};

static struct record record_of(uint32_t writer, uint32_t number)
{
	struct record record = { .writer = writer, .number = number };

	memset(record.rest, (int)('a' + writer), sizeof(record.rest));
	return record;
}

static int append_records(vms_file *file, uint32_t writer)
{
	for (uint32_t i = 0; i < RECORDS; i++) {
		const struct record record = record_of(writer, i);
		uint64_t at;

		if (vms_file_append(file, &record, sizeof(record), &at) != 0)
			return -1;
		/* What was told is where it is. */
		if (memcmp(vms_file_at(file, at, sizeof(record)), &record,
			   sizeof(record)) != 0)
			return -1;
	}
	return 0;
}

static void all_records_are_there(const char *path)
{
	uint32_t next[WRITERS] = { 0 };
	vms_file *file = must_open(path, VMS_FILE_READ_ONLY, 0);
	const struct record *records;

	assert_int_equal(vms_file_size(file),
			 WRITERS * RECORDS * sizeof(struct record));
	records = vms_file_at(file, 0, 0);
	for (size_t i = 0; i < WRITERS * RECORDS; i++) {
		const struct record expected =
			record_of(records[i].writer, records[i].number);

		assert_true(records[i].writer < WRITERS);
		assert_memory_equal(&records[i], &expected, sizeof(expected));
		assert_int_equal(records[i].number, next[records[i].writer]++);
	}
	worked(vms_file_close(file));
}

static void processes_append_apart(void **state)
{
	const struct place *place = *state;
	pid_t children[WRITERS];

	for (uint32_t i = 0; i < WRITERS; i++) {
		children[i] = fork();
		if (children[i] == 0) {
			vms_file *file = open_with(place->path,
						   VMS_FILE_CREATE, 0);

			child_needs(file);
			child_needs(append_records(file, i) == 0);
			child_needs(vms_file_close(file) == 0);
			_exit(0);
		}
	}
	for (size_t i = 0; i < WRITERS; i++)
		must_end_well(children[i]);
	all_records_are_there(place->path);
}

/* Children have the parent's description, until they append. */
static void forked_children_append_apart(void **state)
{
	const struct place *place = *state;
	vms_file *file = must_open(place->path, VMS_FILE_CREATE, 0);
	pid_t children[WRITERS - 1];

	worked(vms_file_append(file, "x", 1, NULL));
	worked(vms_file_resize(file, 0));
	for (uint32_t i = 0; i < WRITERS - 1; i++) {
		children[i] = fork();
		if (children[i] == 0) {
			child_needs(append_records(file, i) == 0);
			child_needs(vms_file_sync(file, 0, 0, 0) == 0);
			child_needs(vms_file_refresh(file) == 0);
			child_needs(vms_file_size(file) >=
				    RECORDS * sizeof(struct record));
			child_needs(vms_file_close(file) == 0);
			_exit(0);
		}
	}
	assert_int_equal(append_records(file, WRITERS - 1), 0);
	for (size_t i = 0; i < WRITERS - 1; i++)
		must_end_well(children[i]);
	worked(vms_file_refresh(file));
	assert_int_equal(vms_file_size(file),
			 WRITERS * RECORDS * sizeof(struct record));
	worked(vms_file_close(file));
	all_records_are_there(place->path);
}

static vms_file *of_all;

static void *append_in_a_thread(void *argument)
{
	return (void *)(intptr_t)append_records(of_all,
						(uint32_t)(uintptr_t)argument);
}

static void threads_append_apart(void **state)
{
	const struct place *place = *state;
	pthread_t threads[WRITERS];

	of_all = must_open(place->path, VMS_FILE_CREATE, 0);
	for (uintptr_t i = 0; i < WRITERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL,
						append_in_a_thread,
						(void *)i), 0);
	for (size_t i = 0; i < WRITERS; i++) {
		void *failed;

		assert_int_equal(pthread_join(threads[i], &failed), 0);
		assert_null(failed);
	}
	worked(vms_file_close(of_all));
	all_records_are_there(place->path);
}

/* Zeros take more than one step, and are apart from others' records all the same. */
static void zeros_are_apart_from_others(void **state)
{
	const struct place *place = *state;
	const size_t length = 3 * MIB + 5;
	vms_file *one = must_open(place->path, VMS_FILE_CREATE, 0);
	vms_file *two = must_open(place->path, 0, 0);
	uint64_t at;

	worked(vms_file_append(one, "a", 1, NULL));
	worked(vms_file_append(two, "b", 1, &at));
	assert_int_equal(at, 1);
	worked(vms_file_append(one, NULL, length, &at));
	assert_int_equal(at, 2);
	worked(vms_file_append(two, "c", 1, &at));
	assert_int_equal(at, 2 + length);
	worked(vms_file_close(one));
	worked(vms_file_append(two, NULL, length, &at));
	assert_int_equal(at, 3 + length);
	assert_int_equal(size_of(place->path), 3 + 2 * length);
	worked(vms_file_close(two));
}

/* What another one has appended is not cut off with what did not fit. */
static void keeps_what_others_have_appended(void **state)
{
	const struct place *place = *state;
	const size_t page = page_bytes();
	vms_file *small = must_open(place->path, VMS_FILE_CREATE, page);
	vms_file *large = must_open(place->path, 0, 0);
	char *bytes = calloc(1, page);

	memset(bytes, 'l', page);
	worked(vms_file_append(small, "s", 1, NULL));
	worked(vms_file_append(large, bytes, page, NULL));
	/* It knows one byte, so the kernel finds out. */
	refused(vms_file_append(small, "sss", 3, NULL), EFBIG);
	assert_int_equal(vms_file_size(small), 1);
	refused(vms_file_refresh(small), EFBIG);
	assert_int_equal(vms_file_size(small), page);
	worked(vms_file_refresh(large));
	assert_memory_equal(vms_file_at(large, 1, page), bytes, page);
	assert_int_equal(size_of(place->path), 1 + page + 3);
	assert_memory_equal(vms_file_at(large, 1 + page, 3), "\0\0\0", 3);
	worked(vms_file_close(large));
	/* Who was not alone takes back nothing, since the others may be there again. */
	worked(vms_file_resize(small, 1));
	assert_int_equal(truncate(place->path, (off_t)page), 0);
	refused(vms_file_append(small, "sss", 3, NULL), EFBIG);
	assert_int_equal(size_of(place->path), page + 3);
	worked(vms_file_close(small));
	free(bytes);
}

/* --- calls --------------------------------------------------------------------------------- */

static struct vmsi_host_calls real;
static unsigned calls;

static long count_limit(int resource, uint64_t *soft, uint64_t *hard)
{
	calls++;
	return real.limit(resource, soft, hard);
}

static long count_append(int fd, const struct iovec *parts, int count)
{
	calls++;
	return real.append(fd, parts, count);
}

static long count_position(int fd)
{
	calls++;
	return real.position(fd);
}

static long count_fstat(int fd, struct stat *status)
{
	calls++;
	return real.fstat(fd, status);
}

static long count_lock(int fd, int command, struct flock *lock)
{
	calls++;
	return real.file_lock(fd, command, lock);
}

static long count_sync_range(int fd, uint64_t offset, uint64_t length,
			     unsigned flags)
{
	calls++;
	return real.sync_range(fd, offset, length, flags);
}

static void an_append_is_four_calls(void **state)
{
	const struct place *place = *state;
	vms_file *file = must_open(place->path, VMS_FILE_CREATE, 0);

	worked(vms_file_append(file, "first", 5, NULL));
	real = vmsi_host;
	vmsi_host.limit = count_limit;
	vmsi_host.append = count_append;
	vmsi_host.position = count_position;
	vmsi_host.fstat = count_fstat;
	vmsi_host.file_lock = count_lock;
	vmsi_host.sync_range = count_sync_range;
	calls = 0;
	for (int i = 0; i < 100; i++)
		assert_int_equal(vms_file_append(file, "next", 4, NULL), 0);
	vmsi_host = real;
	assert_int_equal(calls, 400);
	worked(vms_file_close(file));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		file_test(processes_append_apart),
		file_test(forked_children_append_apart),
		file_test(threads_append_apart),
		file_test(zeros_are_apart_from_others),
		file_test(keeps_what_others_have_appended),
		file_test(an_append_is_four_calls),
	};

	return cmocka_run_group_tests_name("file_append", tests, NULL, NULL);
}
