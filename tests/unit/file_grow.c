/* SPDX-License-Identifier: MIT */
#include <pthread.h>

#include "file_fixture.h"
#include "host/host.h"

/* Growing and shrinking files, alone and among others. */

#define KIB ((size_t)1024)
#define MIB (KIB * KIB)
#define GIB (KIB * MIB)

/* --- alone ----------------------------------------------------------------------------- */

static void appends_at_the_end(void **state)
{
	const struct place *place = *state;
	vms_file *file = must_open(place->path, VMS_FILE_CREATE, 0);
	char *base = vms_file_at(file, 0, 0);
	uint64_t at = 99;

	worked(vms_file_append(file, "abc", 3, &at));
	assert_int_equal(at, 0);
	worked(vms_file_append(file, NULL, 2, &at));
	assert_int_equal(at, 3);
	worked(vms_file_append(file, "", 0, &at));
	assert_int_equal(at, 5);
	worked(vms_file_append(file, "d", 1, NULL));
	assert_int_equal(vms_file_size(file), 6);
	assert_ptr_equal(vms_file_at(file, 0, 6), base);
	assert_memory_equal(base, "abc\0\0d", 6);
	base[1] = 'B';
	worked(vms_file_close(file));
	file = must_open(place->path, VMS_FILE_READ_ONLY, 0);
	assert_memory_equal(vms_file_at(file, 0, 6), "aBc\0\0d", 6);
	worked(vms_file_close(file));
}

static void sizes_at_each_page_edge(void **state)
{
	const struct place *place = *state;
	const size_t page = page_bytes();
	vms_file *file = must_open(place->path, VMS_FILE_CREATE, 0);

	for (size_t pages = 0; pages < 4; pages++)
		for (int off = -1; off <= 1; off++) {
			size_t size = pages * page + (size_t)off;

			if (size > 3 * page + 1)
				continue;
			worked(vms_file_resize(file, size));
			assert_int_equal(size_of(place->path), size);
			assert_int_equal(vms_file_size(file), size);
			if (size > 0) {
				char *last = vms_file_at(file, size - 1, 1);

				assert_int_equal(*last, 0);
				*last = 'x';
			}
			refused_null(vms_file_at(file, size, 1), ERANGE);
		}
	worked(vms_file_resize(file, page));
	worked(vms_file_resize(file, page + 1));
	assert_int_equal(*(char *)vms_file_at(file, page, 1), 0);
	worked(vms_file_close(file));
}

static uint64_t bytes_on_disk(const char *path)
{
	struct stat status;

	assert_int_equal(stat(path, &status), 0);
	return (uint64_t)status.st_blocks * 512;
}

static void takes_space_unless_sparse(void **state)
{
	const struct place *place = *state;
	vms_file *file = must_open(place->path, VMS_FILE_CREATE, 0);

	worked(vms_file_resize(file, 4 * MIB));
	assert_true(bytes_on_disk(place->path) >= 4 * MIB);
	worked(vms_file_append(file, NULL, 4 * MIB, NULL));
	assert_true(bytes_on_disk(place->path) >= 8 * MIB);
	worked(vms_file_resize(file, 0));
	worked(vms_file_close(file));
	file = must_open(place->path, VMS_FILE_SPARSE, 64 * GIB);
	worked(vms_file_resize(file, 32 * GIB + 1));
	worked(vms_file_append(file, NULL, 7, NULL));
	assert_true(bytes_on_disk(place->path) < 8 * MIB);
	worked(vms_file_append(file, "end", 3, NULL));
	assert_int_equal(vms_file_size(file), 32 * GIB + 11);
	assert_memory_equal(vms_file_at(file, 32 * GIB + 8, 3), "end", 3);
	worked(vms_file_close(file));
}

static void ends_where_files_end(void **state)
{
	const struct place *place = *state;
	const struct vms_file_options options = {
		.struct_size = sizeof(options),
		.flags = VMS_FILE_CREATE | VMS_FILE_SPARSE,
		.maximum = (uint64_t)1 << 44,
		.window_addresses = MIB,
	};
	vms_file *file = vms_file_open(place->path, &options);

	assert_non_null(file);
	refused(vms_file_resize(file, UINT64_MAX), EFBIG);
	refused(vms_file_resize(file, (uint64_t)1 << 63), EFBIG);
	refused(vms_file_resize(file, INT64_MAX), EFBIG);
	refused(vms_file_append(file, NULL, SIZE_MAX, NULL), EFBIG);
	assert_int_equal(vms_file_size(file), 0);
	/* What the file system itself does not have: 16 TiB for ext4. */
	errno = ERRNO_BEFORE;
	if (vms_file_resize(file, (uint64_t)1 << 44) != 0) {
		assert_int_equal(errno, EFBIG);
		assert_int_equal(vms_file_size(file), 0);
	}
	worked(vms_file_close(file));
}

/* --- private ----------------------------------------------------------------------------- */

static void private_sizes_are_its_own(void **state)
{
	const struct place *place = *state;
	const size_t page = page_bytes();
	char *bytes = malloc(2 * page);
	vms_file *file;
	char *at;

	memset(bytes, 'f', 2 * page);
	write_file(place->path, bytes, page + 10);
	file = must_open(place->path, VMS_FILE_PRIVATE, 0);
	at = vms_file_at(file, 0, page + 10);
	memset(at, 'p', 5);
	refused(vms_file_append(file, "x", 1, NULL), EINVAL);
	refused(vms_file_sync(file, 0, 0, 0), EINVAL);
	worked(vms_file_resize(file, 5 * page + 1));
	assert_int_equal(at[page + 9], 'f');
	for (size_t i = page + 10; i < 5 * page + 1; i++)
		assert_int_equal(at[i], 0);
	memset(at + page, 'q', 4 * page);
	/* What is cut off is gone, also where the file has bytes. */
	worked(vms_file_resize(file, 7));
	worked(vms_file_resize(file, 3 * page));
	assert_memory_equal(at, "pppppff", 7);
	for (size_t i = 7; i < 3 * page; i++)
		assert_int_equal(at[i], 0);
	worked(vms_file_refresh(file));
	assert_int_equal(vms_file_size(file), 3 * page);
	worked(vms_file_close(file));
	assert_int_equal(size_of(place->path), page + 10);
	free(bytes);
}

static void private_memory_is_charged(void **state)
{
	const struct place *place = *state;
	const size_t page = page_bytes();
	struct vms_budget_options limited = { .struct_size = sizeof(limited),
					      .limit = 8 * page,
					      .policy = VMS_COMMIT_STRICT };
	struct vms_file_options options = { .struct_size = sizeof(options),
					    .flags = VMS_FILE_PRIVATE };
	struct vms_budget_stats charged = { .struct_size = sizeof(charged) };
	vms_file *file;

	options.budget = vms_budget_open(&limited);
	assert_non_null(options.budget);
	write_file(place->path, "abc", 3);
	file = vms_file_open(place->path, &options);
	assert_non_null(file);
	worked(vms_budget_get_stats(options.budget, &charged));
	assert_int_equal(charged.charged_here, page);
	worked(vms_file_resize(file, 8 * page));
	refused(vms_file_resize(file, 8 * page + 1), ENOMEM);
	assert_int_equal(vms_file_size(file), 8 * page);
	worked(vms_file_resize(file, page));
	worked(vms_budget_get_stats(options.budget, &charged));
	assert_int_equal(charged.charged_here, page);
	worked(vms_file_close(file));
	assert_int_equal(truncate(place->path, (off_t)(9 * page)), 0);
	refused_null(vms_file_open(place->path, &options), ENOMEM);
	assert_int_equal(vms_budget_close(options.budget), 0);
}

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
		file_test(appends_at_the_end),
		file_test(sizes_at_each_page_edge),
		file_test(takes_space_unless_sparse),
		file_test(ends_where_files_end),
		file_test(private_sizes_are_its_own),
		file_test(private_memory_is_charged),
		file_test(processes_append_apart),
		file_test(forked_children_append_apart),
		file_test(threads_append_apart),
		file_test(zeros_are_apart_from_others),
		file_test(keeps_what_others_have_appended),
		file_test(an_append_is_four_calls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
