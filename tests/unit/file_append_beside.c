/* SPDX-License-Identifier: MIT */
#include "file_fixture.h"

/* Appends beside a program that has nothing of the library. */

#define FOREIGN_RECORDS 30000u
#define FOREIGN_BYTES 100u

static void append_foreign_records(const char *path)
{
	const int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	char record[FOREIGN_BYTES];

	memset(record, 'B', sizeof(record));
	child_needs(fd >= 0);
	for (unsigned i = 0; i < FOREIGN_RECORDS; i++)
		child_needs(write(fd, record, sizeof(record)) ==
			    (ssize_t)sizeof(record));
	_exit(0);
}

static void zeros_are_appended_beside_others(void **state)
{
	const struct place *place = *state;
	vms_file *file = must_open(place->path, VMS_FILE_CREATE, 0);
	const size_t length = 64;
	uint64_t zeros = 0;
	uint64_t foreign = 0;
	const char *bytes;
	pid_t child = fork();
	int status;

	if (child == 0)
		append_foreign_records(place->path);
	while (waitpid(child, &status, WNOHANG) == 0) {
		uint64_t at;

		worked(vms_file_append(file, NULL, length, &at));
		bytes = vms_file_at(file, at, length);
		for (size_t i = 0; i < length; i++)
			assert_int_equal(bytes[i], 0);
		zeros += length;
	}
	assert_int_equal(status, 0);
	worked(vms_file_refresh(file));
	assert_int_equal(vms_file_size(file),
			 zeros + FOREIGN_RECORDS * FOREIGN_BYTES);
	bytes = vms_file_at(file, 0, vms_file_size(file));
	for (uint64_t i = 0; i < vms_file_size(file); i++)
		foreign += bytes[i] == 'B';
	assert_int_equal(foreign, FOREIGN_RECORDS * FOREIGN_BYTES);
	worked(vms_file_close(file));
}

/* --- a program that locks all of a file ------------------------------------------------- */

static int lock_all(const char *path)
{
	const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);

	assert_true(fd >= 0);
	assert_int_equal(lockf(fd, F_LOCK, 0), 0);
	return fd;
}

/* The lock is the very process's: who waited for it would wait for ever. */
static void appends_where_the_program_has_locked_the_file(void **state)
{
	const struct place *place = *state;
	const int fd = lock_all(place->path);
	vms_file *file = must_open(place->path, 0, 0);
	uint64_t at;

	(void)alarm(20);
	worked(vms_file_append(file, "abc", 3, NULL));
	worked(vms_file_resize(file, 5));
	worked(vms_file_append(file, "de", 2, &at));
	assert_int_equal(at, 5);
	refused_null(open_with(place->path, VMS_FILE_GATHERS, 0), EBUSY);
	assert_int_equal(lockf(fd, F_ULOCK, 0), 0);
	worked(vms_file_append(file, "f", 1, NULL));
	(void)alarm(0);
	assert_int_equal(size_of(place->path), 8);
	assert_int_equal(close(fd), 0);
	worked(vms_file_close(file));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		file_test(zeros_are_appended_beside_others),
		file_test(appends_where_the_program_has_locked_the_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
