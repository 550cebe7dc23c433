/* SPDX-License-Identifier: MIT */
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include "file_disk.h"

/* Growing files until a limit or a disk is reached. */

#define KIB ((size_t)1024)
#define MIB (KIB * KIB)

static volatile sig_atomic_t signals;

static void note_signal(int signal)
{
	(void)signal;
	signals++;
}

/* A child, since a limit of this process cannot be raised again by all. */
static void limit_in_a_child(const char *path)
{
	const struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	struct rlimit limit = { .rlim_cur = 10000, .rlim_max = RLIM_INFINITY };
	vms_file *file = open_with(path, VMS_FILE_CREATE, 0);
	char bytes[100] = "x";
	sigset_t set;

	child_needs(file);
	(void)unlimited;
	(void)signal(SIGXFSZ, note_signal);
	child_needs(vms_file_append(file, bytes, 100, NULL) == 0);
	child_needs(setrlimit(RLIMIT_FSIZE, &limit) == 0);
	child_needs(vms_file_append(file, bytes, 100, NULL) == 0);
	child_needs(vms_file_resize(file, 9950) == 0);
	child_needs(vms_file_append(file, bytes, 51, NULL) == -1 && errno == EFBIG);
	child_needs(vms_file_append(file, NULL, 51, NULL) == -1 && errno == EFBIG);
	child_needs(vms_file_resize(file, 10001) == -1 && errno == EFBIG);
	child_needs(vms_file_size(file) == 9950 && size_of(path) == 9950);
	/* Longer than is known: the kernel finds it. */
	limit.rlim_cur = RLIM_INFINITY;
	child_needs(truncate(path, 9990) == 0);
	child_needs(vms_file_append(file, bytes, 20, NULL) == -1 && errno == EFBIG);
	/* Somebody has changed the size: what was written in part is not cut off. */
	child_needs(size_of(path) == 10000);
	child_needs(truncate(path, 9990) == 0);
	child_needs(signals == 0);
	/* A signal that was pending before stays. */
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGXFSZ);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	(void)raise(SIGXFSZ);
	child_needs(vms_file_append(file, bytes, 20, NULL) == -1 && errno == EFBIG);
	child_needs(sigpending(&set) == 0 && sigismember(&set, SIGXFSZ) == 1);
	(void)sigemptyset(&set);
	(void)sigprocmask(SIG_SETMASK, &set, NULL);
	child_needs(signals == 1);
	child_needs(truncate(path, 9990) == 0);
	child_needs(vms_file_append(file, bytes, 10, NULL) == 0);
	child_needs(vms_file_close(file) == 0);
	_exit(0);
}

static void a_limit_is_an_error_and_no_signal(void **state)
{
	const struct place *place = *state;
	pid_t child = fork();

	if (child == 0)
		limit_in_a_child(place->path);
	must_end_well(child);
}

/* An atomic file is written by a commit, which is acknowledged before that. */
static void limit_an_atomic_file(const char *path, unsigned flags)
{
	struct rlimit limit = { .rlim_cur = 4 * MIB, .rlim_max = RLIM_INFINITY };
	vms_file *file = open_with(path, VMS_FILE_CREATE | VMS_FILE_ATOMIC | flags,
				   0);

	child_needs(file);
	(void)signal(SIGXFSZ, note_signal);
	child_needs(vms_file_append(file, "x", 1, NULL) == 0);
	child_needs(setrlimit(RLIMIT_FSIZE, &limit) == 0);
	child_needs(vms_file_resize(file, 8 * MIB) == -1 && errno == EFBIG);
	child_needs(vms_file_append(file, NULL, 4 * MIB, NULL) == -1 &&
		    errno == EFBIG);
	child_needs(vms_file_size(file) == 1);
	child_needs(vms_file_resize(file, 4 * MIB) == 0);
	child_needs(vms_file_commit(file) == 0);
	child_needs(size_of(path) == 4 * MIB && signals == 0);
	child_needs(vms_file_close(file) == 0);
	_exit(0);
}

static void a_limit_is_an_error_of_atomic_growth(void **state)
{
	const struct place *place = *state;
	static const unsigned flags[] = { 0, VMS_FILE_SPARSE };

	for (size_t i = 0; i < 2; i++) {
		const pid_t child = fork();

		if (child == 0)
			limit_an_atomic_file(place->path, flags[i]);
		must_end_well(child);
		assert_int_equal(unlink(place->path), 0);
	}
}

#define TIB ((uint64_t)1 << 40)

/* ext4 has no file of 20 TiB. */
static void the_largest_file_is_an_error_of_atomic_growth(void **state)
{
	const struct place *place = *state;
	static const unsigned flags[] = { 0, VMS_FILE_SPARSE };
	struct disk disk;

	if (!mount_disk(&disk, place->directory))
		skip();
	for (size_t i = 0; i < 2; i++) {
		vms_file *file = must_open(place->path, VMS_FILE_CREATE |
					   VMS_FILE_ATOMIC | flags[i], 32 * TIB);

		refused(vms_file_resize(file, 20 * TIB), EFBIG);
		assert_int_equal(vms_file_size(file), 0);
		worked(vms_file_resize(file, MIB));
		worked(vms_file_commit(file));
		worked(vms_file_close(file));
		assert_int_equal(size_of(place->path), MIB);
		assert_int_equal(unlink(place->path), 0);
	}
	unmount_disk(&disk);
}

/* The limit of a process that runs is lowered by another one. */
static void a_limit_may_be_lowered_from_outside(void **state)
{
	const struct place *place = *state;
	const struct rlimit first = { 1000000, RLIM_INFINITY };
	const struct rlimit limit = { 5000, RLIM_INFINITY };
	int go[2], ready[2];
	char byte = 0;
	pid_t child;

	assert_int_equal(pipe(go), 0);
	assert_int_equal(pipe(ready), 0);
	child = fork();
	if (child == 0) {
		vms_file *file = open_with(place->path, VMS_FILE_CREATE, 0);

		child_needs(file);
		(void)signal(SIGXFSZ, SIG_DFL);
		child_needs(setrlimit(RLIMIT_FSIZE, &first) == 0);
		child_needs(write(ready[1], "r", 1) == 1);
		while (vms_file_append(file, "0123456789", 10, NULL) == 0)
			;
		child_needs(errno == EFBIG);
		child_needs(vms_file_size(file) == size_of(place->path));
		child_needs(vms_file_size(file) % 10 == 0);
		child_needs(read(go[0], &byte, 1) == 1);
		child_needs(vms_file_append(file, "x", 1, NULL) == -1 &&
			    errno == EFBIG);
		_exit(0);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(prlimit(child, RLIMIT_FSIZE, &limit, NULL), 0);
	assert_int_equal(write(go[1], "g", 1), 1);
	must_end_well(child);
	(void)close(go[0]), (void)close(go[1]);
	(void)close(ready[0]), (void)close(ready[1]);
}

/* Fill a file system by each way to grow; each time nothing is left of what failed. */
static void fill_by(const char *path, unsigned flags)
{
	vms_file *file = must_open(path, VMS_FILE_CREATE | flags, 0);
	const size_t length = 333333;
	char *bytes = malloc(length);
	uint64_t size;

	memset(bytes, 'f', length);
	while (vms_file_append(file, bytes, length, NULL) == 0)
		;
	assert_int_equal(errno, ENOSPC);
	size = vms_file_size(file);
	assert_true(size > 0 && size % length == 0);
	worked(vms_file_refresh(file));
	assert_int_equal(size_of(path), size);
	refused(vms_file_append(file, NULL, 16 * MIB, NULL), ENOSPC);
	refused(vms_file_resize(file, size + 16 * MIB), ENOSPC);
	assert_int_equal(size_of(path), size);
	assert_int_equal(vms_file_size(file), size);
	/* All that was acknowledged is there, and can be written to. */
	memset(vms_file_at(file, 0, size), 'g', size);
	assert_int_equal(*(char *)vms_file_at(file, size - 1, 1), 'g');
	worked(vms_file_sync(file, 0, 0, VMS_FILE_SYNC_ALL));
	worked(vms_file_resize(file, 1));
	worked(vms_file_append(file, bytes, length, NULL));
	worked(vms_file_close(file));
	assert_int_equal(unlink(path), 0);
	free(bytes);
}

static void fill(const char *path)
{
	fill_by(path, 0);
	fill_by(path, VMS_FILE_GATHERS);
}

/* Fill what is left of a disk. */
static void fill_rest(const char *path)
{
	const int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	off_t at = 0;

	assert_true(fd >= 0);
	for (off_t step = (off_t)MIB; step >= 512; step /= 2)
		while (fallocate(fd, 0, at, step) == 0)
			at += step;
	assert_int_equal(close(fd), 0);
}

static uint64_t space_of(const char *path)
{
	struct stat status;

	assert_int_equal(stat(path, &status), 0);
	return (uint64_t)status.st_blocks * 512;
}

/* A commit that cuts the file gives back what it had behind its new end. */
static void grow_after_a_cut(const char *path)
{
	const uint64_t page = page_bytes();
	vms_file *file = must_open(path, VMS_FILE_CREATE | VMS_FILE_ATOMIC |
				   VMS_FILE_TELLS, 64 * MIB);
	char filler[128];

	(void)snprintf(filler, sizeof(filler), "%s.filler", path);
	worked(vms_file_resize(file, 100 * page));
	worked(vms_file_commit(file));
	worked(vms_file_resize(file, 10 * page));
	worked(vms_file_resize(file, 50 * page));
	worked(vms_file_commit(file));
	fill_rest(filler);
	if (vms_file_resize(file, 200 * page) == 0)
		assert_true(space_of(path) >= 200 * page);
	else
		assert_int_equal(errno, ENOSPC);
	worked(vms_file_rollback(file));
	assert_int_equal(vms_file_size(file), 50 * page);
	worked(vms_file_close(file));
	assert_int_equal(unlink(filler), 0);
	assert_int_equal(unlink(path), 0);
}

/* So does a file that gathers when it is made shorter. */
static void gather_after_a_cut(const char *path)
{
	vms_file *file = must_open(path, VMS_FILE_CREATE | VMS_FILE_GATHERS, 0);
	char bytes[4096];
	char filler[128];
	uint64_t size = 0;

	(void)snprintf(filler, sizeof(filler), "%s.filler", path);
	memset(bytes, 'g', sizeof(bytes));
	worked(vms_file_append(file, bytes, sizeof(bytes), NULL));
	worked(vms_file_sync(file, 0, 0, 0));
	worked(vms_file_resize(file, 0));
	fill_rest(filler);
	while (vms_file_append(file, bytes, sizeof(bytes), NULL) == 0)
		size += sizeof(bytes);
	assert_int_equal(errno, ENOSPC);
	worked(vms_file_sync(file, 0, 0, 0));
	assert_int_equal(size_of(path), size);
	worked(vms_file_close(file));
	assert_int_equal(unlink(filler), 0);
	assert_int_equal(unlink(path), 0);
}

static void fills_a_file_system_in_memory(void **state)
{
	const struct place *place = *state;

	if (mount("vmspace", place->directory, "tmpfs", 0, "size=16m") != 0)
		skip();
	fill(place->path);
	grow_after_a_cut(place->path);
	gather_after_a_cut(place->path);
	assert_int_equal(umount2(place->directory, MNT_DETACH), 0);
}

static void fills_a_disk(void **state)
{
	const struct place *place = *state;
	struct disk disk;

	if (!mount_disk(&disk, place->directory))
		skip();
	fill(place->path);
	grow_after_a_cut(place->path);
	gather_after_a_cut(place->path);
	unmount_disk(&disk);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		file_test(a_limit_is_an_error_and_no_signal),
		file_test(a_limit_may_be_lowered_from_outside),
		file_test(a_limit_is_an_error_of_atomic_growth),
		file_test(the_largest_file_is_an_error_of_atomic_growth),
		file_test(fills_a_file_system_in_memory),
		file_test(fills_a_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
