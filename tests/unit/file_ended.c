/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "file_fixture.h"

/* Threads that end inside an access which keeps commits from an atomic file. */

static vms_file *make_committed(const char *path)
{
	vms_file *file = must_open(path, VMS_FILE_ATOMIC | VMS_FILE_CREATE, 0);

	worked(vms_file_append(file, "abc", 3, NULL));
	worked(vms_file_commit(file));
	return file;
}

static vms_file *open_reader(const char *path)
{
	return must_open(path, VMS_FILE_ATOMIC | VMS_FILE_READ_ONLY, 0);
}

/* See homelock.c. */
#define READING_BYTE ((off_t)0x6e00000000000000 + 2)

/* Whether some access keeps commits from the file. */
static bool is_kept(const char *path)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET,
			      .l_start = READING_BYTE, .l_len = 1 };
	const int fd = open(path, O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_OFD_GETLK, &lock), 0);
	assert_int_equal(close(fd), 0);
	return lock.l_type != F_UNLCK;
}

static void *end_in_accesses(void *reader)
{
	struct vms_file_access accesses[3];

	for (int i = 0; i < 3; i++)
		if (vms_file_begin_access(reader, &accesses[i]) != 0)
			return NULL;
	if (vms_file_end_access(&accesses[2], NULL) != 0)
		return NULL;
	pthread_exit(reader);
}

static void a_thread_that_ends_keeps_nobody_out(void **state)
{
	const struct place *place = *state;
	vms_file *file = make_committed(place->path);
	vms_file *reader = open_reader(place->path);
	struct vms_file_access access;
	pthread_t thread;
	void *ended;

	assert_int_equal(pthread_create(&thread, NULL, end_in_accesses, reader), 0);
	assert_int_equal(pthread_join(thread, &ended), 0);
	assert_ptr_equal(ended, reader);
	assert_false(is_kept(place->path));
	/* Those of other threads are not ended. */
	worked(vms_file_begin_access(reader, &access));
	assert_int_equal(pthread_create(&thread, NULL, end_in_accesses, reader), 0);
	assert_int_equal(pthread_join(thread, &ended), 0);
	assert_ptr_equal(ended, reader);
	assert_true(is_kept(place->path));
	worked(vms_file_end_access(&access, NULL));
	assert_false(is_kept(place->path));
	worked(vms_file_close(reader));
	worked(vms_file_close(file));
}

static _Atomic int step;

static void *end_after_the_file(void *reader)
{
	struct vms_file_access access;

	if (vms_file_begin_access(reader, &access) != 0)
		return reader;
	atomic_store(&step, 1);
	while (atomic_load(&step) != 2)
		(void)sched_yield();
	return NULL;
}

/* The next file may have the place of one that was closed. */
static void a_thread_that_ends_leaves_other_files_alone(void **state)
{
	const struct place *place = *state;
	vms_file *file = make_committed(place->path);
	vms_file *reader = open_reader(place->path);
	struct vms_file_access access;
	pthread_t thread;
	void *failed;

	atomic_store(&step, 0);
	assert_int_equal(pthread_create(&thread, NULL, end_after_the_file, reader),
			 0);
	while (atomic_load(&step) != 1)
		(void)sched_yield();
	worked(vms_file_close(reader));
	reader = open_reader(place->path);
	worked(vms_file_begin_access(reader, &access));
	atomic_store(&step, 2);
	assert_int_equal(pthread_join(thread, &failed), 0);
	assert_null(failed);
	assert_true(is_kept(place->path));
	worked(vms_file_end_access(&access, NULL));
	worked(vms_file_close(reader));
	worked(vms_file_close(file));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		file_test(a_thread_that_ends_keeps_nobody_out),
		file_test(a_thread_that_ends_leaves_other_files_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
