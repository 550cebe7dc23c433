/* SPDX-License-Identifier: MIT */
#include "file_fixture.h"
#include "file/atomic_state.h"
#include "file/file.h"
#include "host/host.h"

/* What becomes of a commit that has failed. */

static struct vmsi_host_calls real;
static struct {
	bool fail_write;       /* the next long write fails when all is written */
	bool fail_sync;        /* the next fdatasync */
	unsigned syncs;        /* that were made */
} host;

static long write_and_fail(int fd, const void *bytes, size_t length,
			   uint64_t offset)
{
	const long done = real.pwrite(fd, bytes, length, offset);

	if (!host.fail_write || length <= page_bytes())
		return done;
	host.fail_write = false;
	return -EIO;
}

static long sync_or_fail(int fd)
{
	if (host.fail_sync) {
		host.fail_sync = false;
		return -EIO;
	}
	host.syncs++;
	return real.fdatasync(fd);
}

static vms_file *open_atomic(const char *path)
{
	vms_file *file = open_with(path, VMS_FILE_CREATE | VMS_FILE_ATOMIC |
				   VMS_FILE_TELLS, 1 << 20);

	real = vmsi_host;
	vmsi_host.pwrite = write_and_fail;
	vmsi_host.fdatasync = sync_or_fail;
	return file;
}

/* A commit of "first", and one of "second" that fails and is dropped. */
static void drop_failed(vms_file *file)
{
	child_needs(vms_file_append(file, "first.", 6, NULL) == 0);
	child_needs(vms_file_commit(file) == 0);
	child_needs(vms_file_will_write(file, 0, 6) == 0);
	memcpy(vms_file_at(file, 0, 6), "second", 6);
	host.fail_write = true;
	if (vms_file_commit(file) == 0)
		_exit(1);
	child_needs(errno == EIO);
	child_needs(vms_file_rollback(file) == 0);
}

static void must_have(const char *path, const char *text)
{
	vms_file *file = must_open(path, VMS_FILE_ATOMIC, 0);

	assert_int_equal(vms_file_size(file), strlen(text));
	assert_memory_equal(vms_file_at(file, 0, strlen(text)), text,
			    strlen(text));
	assert_int_equal(vms_file_close(file), 0);
}

/* The program stops right behind what `last` does. */
static void stop_after_failure(const char *path, void (*last)(vms_file *file))
{
	const pid_t child = fork();

	if (child == 0) {
		vms_file *file = open_atomic(path);

		child_needs(file);
		drop_failed(file);
		last(file);
		_exit(0);
	}
	must_end_well(child);
}

static void commit_nothing(vms_file *file)
{
	child_needs(vms_file_commit(file) == 0);
}

static void do_nothing(vms_file *file)
{
	(void)file;
}

static void a_failed_commit_that_was_dropped_does_not_come_back(void **state)
{
	const struct place *place = *state;

	stop_after_failure(place->path, do_nothing);
	must_have(place->path, "first.");
}

static void not_behind_a_commit_of_nothing(void **state)
{
	const struct place *place = *state;

	stop_after_failure(place->path, commit_nothing);
	must_have(place->path, "first.");
}

/* The disk may have the commit whose sync failed; only another sync settles it. */
static void a_commit_of_nothing_settles_one_that_has_failed(void **state)
{
	const struct place *place = *state;
	vms_file *file = open_atomic(place->path);

	assert_non_null(file);
	worked(vms_file_append(file, "first.", 6, NULL));
	worked(vms_file_commit(file));
	worked(vms_file_append(file, "second", 6, NULL));
	host.fail_sync = true;
	refused(vms_file_commit(file), EIO);
	worked(vms_file_rollback(file));
	host.syncs = 0;
	worked(vms_file_commit(file));
	assert_int_equal(host.syncs, 1);
	/* That is settled, so another one has nothing to do. */
	worked(vms_file_commit(file));
	assert_int_equal(host.syncs, 1);
	worked(vms_file_close(file));
	vmsi_host = real;
	must_have(place->path, "first.");
}

/* --- a writer that stops midway ------------------------------------------------------ */

static int writes_home;        /* of the file that has the descriptor */
static int home = -1;

static long write_home_and_stop(int fd, const void *bytes, size_t length,
				uint64_t offset)
{
	struct stat written, watched;

	if (fstat(fd, &written) == 0 && fstat(home, &watched) == 0 &&
	    written.st_ino == watched.st_ino && writes_home++ > 0)
		_exit(0);
	return real.pwrite(fd, bytes, length, offset);
}

static void commit_pages(vms_file *file, char byte)
{
	for (uint64_t page = 0; page < 8; page += 2) {
		const uint64_t offset = page * page_bytes();

		child_needs(vms_file_will_write(file, offset, 1) == 0);
		*(char *)vms_file_at(file, offset, 1) = byte;
	}
	child_needs(vms_file_commit(file) == 0);
}

/* It has written one page of four into the file. */
static void stop_midway(const char *path)
{
	const pid_t child = fork();

	if (child == 0) {
		vms_file *file = open_atomic(path);

		child_needs(vms_file_resize(file, 8 * page_bytes()) == 0);
		commit_pages(file, 'a');
		home = open(path, O_RDONLY);
		vmsi_host.pwrite = write_home_and_stop;
		commit_pages(file, 'b');
		_exit(100);
	}
	must_end_well(child);
}

static void a_reader_sees_the_whole_commit_of_a_writer_that_stopped(void **state)
{
	const struct place *place = *state;
	struct vms_file_access access;
	vms_file *file;
	char byte;
	int fd;

	stop_midway(place->path);
	fd = open(place->path, O_RDONLY);
	assert_int_equal(pread(fd, &byte, 1, (off_t)(6 * page_bytes())), 1);
	assert_int_equal(byte, 'a');
	(void)close(fd);
	file = must_open(place->path, VMS_FILE_ATOMIC | VMS_FILE_READ_ONLY, 0);
	worked(vms_file_begin_access(file, &access));
	for (uint64_t page = 0; page < 8; page += 2)
		assert_int_equal(*(char *)vms_file_at(file, page * page_bytes(), 1),
				 'b');
	worked(vms_file_end_access(&access, NULL));
	worked(vms_file_close(file));
	file = must_open(place->path, VMS_FILE_ATOMIC, 0);
	worked(vms_file_close(file));
}

/* What is laid over the file is nowhere else. */
static void a_reader_drops_nothing_of_a_commit(void **state)
{
	const struct place *place = *state;
	struct vms_file_access access;
	vms_file *file;

	stop_midway(place->path);
	file = must_open(place->path, VMS_FILE_ATOMIC | VMS_FILE_READ_ONLY, 0);
	worked(vms_file_begin_access(file, &access));
	(void)vms_file_drop(file, 0, 8 * page_bytes());
	for (uint64_t page = 0; page < 8; page += 2)
		assert_int_equal(*(char *)vms_file_at(file, page * page_bytes(), 1),
				 'b');
	worked(vms_file_end_access(&access, NULL));
	worked(vms_file_close(file));
	file = must_open(place->path, VMS_FILE_ATOMIC, 0);
	worked(vms_file_close(file));
}

/* --- a file that is written again ---------------------------------------------------------- */

static struct {
	vms_file *file;
	bool fails;            /* the next fsync of the file */
	bool watches;
	unsigned looks;        /* at the program's memory, while the file is written */
	char *at;
} again;

static bool is_home(int fd)
{
	struct stat given, own;

	return fstat(fd, &given) == 0 && fstat(again.file->fd, &own) == 0 &&
		given.st_ino == own.st_ino;
}

static long fail_home_once(int fd)
{
	if (!again.fails || !is_home(fd))
		return real.fsync(fd);
	again.fails = false;
	return -EIO;
}

/* A store to a page that shows the file takes with it what the page shows. */
static long watch_memory(int fd, const void *bytes, size_t length, uint64_t offset)
{
	const long done = real.pwrite(fd, bytes, length, offset);
	const size_t page = page_bytes();

	if (!again.watches || !is_home(fd))
		return done;
	assert_int_equal(again.at[0], 'z');
	assert_int_equal(again.at[page - 1], 'z');
	assert_int_equal(again.at[4 * page + 100], 0);
	assert_int_equal(again.at[6 * page], 'y');
	again.looks++;
	return done;
}

static void commit_page(uint64_t page, char byte)
{
	memset(again.at + page * page_bytes(), byte, page_bytes());
	worked(vms_file_commit(again.file));
}

/*
 * Pages that show the file (the limit lets none be private): changed often, cut off and
 * grown again, in one page, too; and then the file cannot be made durable.
 */
static void nobody_sees_how_a_file_is_written_again(void **state)
{
	const struct place *place = *state;
	const struct vms_file_options options = {
		.struct_size = sizeof(options),
		.flags = VMS_FILE_CREATE | VMS_FILE_ATOMIC,
		.maximum = 1 << 20,
		.dirty_limit = 1,
	};
	const size_t page = page_bytes();

	memset(&again, 0, sizeof(again));
	again.file = open_file(place->path, &options);
	assert_non_null(again.file);
	worked(vms_file_resize(again.file, 8 * page));
	again.at = vms_file_at(again.file, 0, 8 * page);
	for (uint64_t i = 3; i < 8; i++)
		commit_page(i, 'x');
	worked(vms_file_resize(again.file, 4 * page + 100));
	worked(vms_file_commit(again.file));
	worked(vms_file_resize(again.file, 8 * page));
	commit_page(6, 'y');
	for (char byte = 'a'; byte <= 'z'; byte++)
		commit_page(0, byte);
	real = vmsi_host;
	vmsi_host.fsync = fail_home_once;
	vmsi_host.pwrite = watch_memory;
	again.file->atomic->journal.limit = page;
	again.fails = true;
	commit_page(1, 'b');
	assert_false(again.fails);
	assert_true(again.file->atomic->journal.home_doubtful);
	again.watches = true;
	commit_page(1, 'c');
	assert_true(again.looks > 4);
	assert_false(again.file->atomic->journal.home_doubtful);
	vmsi_host = real;
	worked(vms_file_close(again.file));
	again.file = open_file(place->path, &options);
	assert_non_null(again.file);
	again.at = vms_file_at(again.file, 0, 8 * page);
	assert_int_equal(again.at[0], 'z');
	assert_int_equal(again.at[page], 'c');
	assert_int_equal(again.at[3 * page], 'x');
	assert_int_equal(again.at[4 * page + 99], 'x');
	for (uint64_t i = 4 * page + 100; i < 6 * page; i++)
		assert_int_equal(again.at[i], 0);
	assert_int_equal(again.at[7 * page - 1], 'y');
	assert_int_equal(again.at[7 * page], 0);
	worked(vms_file_close(again.file));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		file_test(a_failed_commit_that_was_dropped_does_not_come_back),
		file_test(not_behind_a_commit_of_nothing),
		file_test(a_commit_of_nothing_settles_one_that_has_failed),
		file_test(a_reader_sees_the_whole_commit_of_a_writer_that_stopped),
		file_test(a_reader_drops_nothing_of_a_commit),
		file_test(nobody_sees_how_a_file_is_written_again),
	};

	return cmocka_run_group_tests_name("file_commit", tests, NULL, NULL);
}
