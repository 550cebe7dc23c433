/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "file_fixture.h"
#include "host/host.h"

/* What those see of an atomic file who only read it, and what their accesses cost. */

#define PAGES 64

/* The library's handler is there before a test, too, that opens no file in its process. */
static void learn_guard(void)
{
	struct place *place;
	vms_file *file;

	if (make_place((void **)&place) != 0)
		abort();
	file = open_with(place->path, VMS_FILE_CREATE, 0);
	if (!file || vms_file_close(file) != 0)
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

/* --- turns --------------------------------------------------------------------------- */

/* See homelock.c. */
#define DOOR_BYTE ((off_t)0x6e00000000000000 + 1)

static struct vmsi_host_calls real;
static vms_file *written, *read_by_many;
static atomic_bool has_lined_up, is_in;
static _Thread_local bool is_late;

static long watch_door(int fd, int command, struct flock *lock)
{
	if (is_late && command == F_OFD_SETLKW && lock->l_start == DOOR_BYTE)
		atomic_store(&has_lined_up, true);
	return real.file_lock(fd, command, lock);
}

static bool a_writer_waits(const char *path)
{
	struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET,
			      .l_start = DOOR_BYTE, .l_len = 1 };
	const int fd = open(path, O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_OFD_GETLK, &lock), 0);
	assert_int_equal(close(fd), 0);
	return lock.l_type == F_WRLCK;
}

/* What is committed comes into the file first, for which readers are waited for. */
static void *roll_back(void *none)
{
	return vms_file_rollback(written) == 0 ? none : written;
}

static void *read_b(void *none)
{
	struct vms_file_access access;
	char byte;

	is_late = true;
	if (vms_file_begin_access(read_by_many, &access) != 0)
		return read_by_many;
	byte = *(volatile char *)vms_file_at(read_by_many, 0, 1);
	atomic_store(&is_in, true);
	return vms_file_end_access(&access, NULL) == 0 && byte == 'b' ? none :
		read_by_many;
}

static void must_join(pthread_t thread)
{
	void *failed;

	assert_int_equal(pthread_join(thread, &failed), 0);
	assert_null(failed);
}

/* Who comes while a writer waits comes after it; who is inside goes on, nested, too. */
static void a_writer_has_its_turn(void **state)
{
	const struct place *place = *state;
	struct vms_file_access outer, inner;
	pthread_t writer, reader;
	vms_file *other;

	written = open_writer(place->path);
	worked(commit_pages(written, 8, 'a'));
	read_by_many = open_reader(place->path);
	other = open_reader(place->path);
	real = vmsi_host;
	vmsi_host.file_lock = watch_door;
	worked(vms_file_begin_access(read_by_many, &outer));
	worked(commit_pages(written, 8, 'b'));
	assert_int_equal(pthread_create(&writer, NULL, roll_back, NULL), 0);
	while (!a_writer_waits(place->path))
		(void)sched_yield();
	assert_int_equal(pthread_create(&reader, NULL, read_b, NULL), 0);
	while (!atomic_load(&has_lined_up) && !atomic_load(&is_in))
		(void)sched_yield();
	assert_false(atomic_load(&is_in));
	worked(vms_file_begin_access(read_by_many, &inner));
	assert_int_equal(*(char *)vms_file_at(read_by_many, 0, 1), 'a');
	worked(vms_file_end_access(&inner, NULL));
	worked(vms_file_begin_access(other, &inner));
	assert_int_equal(*(char *)vms_file_at(other, 0, 1), 'b');
	worked(vms_file_end_access(&inner, NULL));
	worked(vms_file_end_access(&outer, NULL));
	must_join(writer);
	must_join(reader);
	vmsi_host = real;
	worked(vms_file_close(other));
	worked(vms_file_close(read_by_many));
	worked(vms_file_close(written));
}

/* --- a writer that has stopped, or cannot write the file -------------------------------- */

static int home = -1;
static enum { WRITES_HOME, FAILS, STOPS } home_mode;

/* By whoever has the file itself, and not its journal. */
static long write_home(int fd, const void *bytes, size_t length, uint64_t offset)
{
	struct stat written_to, watched;

	if (home_mode == WRITES_HOME || fstat(fd, &written_to) != 0 ||
	    fstat(home, &watched) != 0 || written_to.st_ino != watched.st_ino)
		return real.pwrite(fd, bytes, length, offset);
	if (home_mode == STOPS)
		_exit(0);
	return -EIO;
}

static vms_file *open_failing(const char *path)
{
	vms_file *file = open_writer(path);

	real = vmsi_host;
	home = open(path, O_RDONLY | O_CLOEXEC);
	vmsi_host.pwrite = write_home;
	return file;
}

/* A commit is in the journal, and nothing of it in the file. */
static void stop_before_home(const char *path, char byte)
{
	const pid_t child = fork();

	if (child == 0) {
		vms_file *file = open_failing(path);

		child_needs(commit_pages(file, 8, 'a') == 0);
		home_mode = STOPS;
		child_needs(commit_pages(file, 16, byte) == 0);
		_exit(100);
	}
	must_end_well(child);
}

static unsigned mappings, reads;

static long count_mmap(uintptr_t address, size_t length, int prot, int flags,
		       int fd, uint64_t offset)
{
	mappings++;
	return real.mmap(address, length, prot, flags, fd, offset);
}

static long count_pread(int fd, void *bytes, size_t length, uint64_t offset)
{
	reads++;
	return real.pread(fd, bytes, length, offset);
}

static void must_see(vms_file *reader, char byte)
{
	char seen;

	for (uint64_t page = 0; page < 16; page += 5) {
		worked(read_page(reader, page, &seen));
		assert_int_equal(seen, byte);
	}
	assert_int_equal(vms_file_size(reader), 16 * page_bytes());
}

static void a_journal_is_laid_over_the_file_once(void **state)
{
	const struct place *place = *state;
	char journal[128];
	vms_file *reader;

	stop_before_home(place->path, 'b');
	reader = open_reader(place->path);
	must_see(reader, 'b');
	real = vmsi_host;
	mappings = reads = 0;
	vmsi_host.mmap = count_mmap;
	vmsi_host.pread = count_pread;
	must_see(reader, 'b');
	vmsi_host = real;
	assert_int_equal(mappings, 0);
	assert_in_range(reads, 0, 4);
	/* Another writer, who stops there as well; then one that closes. */
	stop_before_home(place->path, 'c');
	must_see(reader, 'c');
	worked(vms_file_close(open_writer(place->path)));
	must_see(reader, 'c');
	stop_before_home(place->path, 'd');
	must_see(reader, 'd');
	worked(vms_file_close(reader));
	(void)snprintf(journal, sizeof(journal), "%s.journal", place->path);
	assert_int_equal(unlink(journal), 0);
}

/* The writer lives, and its commits come to the journal alone, until the disk is well. */
static void each_commit_of_a_writer_that_fails_is_seen(void **state)
{
	const struct place *place = *state;
	vms_file *file = open_failing(place->path);
	vms_file *reader;
	char byte;

	assert_non_null(file);
	worked(commit_pages(file, 16, 'a'));
	reader = open_reader(place->path);
	must_see(reader, 'a');
	home_mode = FAILS;
	for (char next = 'b'; next < 'f'; next++) {
		worked(commit_pages(file, 16, next));
		must_see(reader, next);
		must_see(reader, next);
	}
	worked(vms_file_will_write(file, 0, 1));
	*(char *)vms_file_at(file, 0, 1) = 'x';
	must_see(reader, 'e');
	refused(vms_file_rollback(file), EIO);
	home_mode = WRITES_HOME;
	worked(vms_file_commit(file));
	worked(read_page(reader, 0, &byte));
	assert_int_equal(byte, 'x');
	vmsi_host = real;
	worked(vms_file_close(reader));
	worked(vms_file_close(file));
	assert_int_equal(close(home), 0);
}

/* --- a home file that somebody cuts off -------------------------------------------------- */

static long stop_at_cut(int fd, uint64_t length)
{
	if (home_mode == STOPS)
		_exit(0);
	return real.ftruncate(fd, length);
}

/* A commit that ends within a page is in the journal, and the file is longer. */
static void stop_before_cut(const char *path)
{
	const pid_t child = fork();

	if (child == 0) {
		vms_file *file = open_writer(path);

		child_needs(commit_pages(file, 8, 'a') == 0);
		child_needs(vms_file_close(file) == 0);
		file = open_failing(path);
		vmsi_host.ftruncate = stop_at_cut;
		home_mode = STOPS;
		child_needs(vms_file_resize(file, 3 * page_bytes() + 100) == 0);
		child_needs(vms_file_commit(file) == 0);
		_exit(100);
	}
	must_end_well(child);
}

static const char *cut_path;
static unsigned looks, cut_at;

static long cut_after_look(int fd, struct stat *status)
{
	const long error = real.fstat(fd, status);

	if (!error && status->st_size == (off_t)(8 * page_bytes()) &&
	    ++looks == cut_at && truncate(cut_path, 0) != 0)
		_exit(101);
	return error;
}

/* 0: the file was not looked at so often. */
static void read_while_it_is_cut(const char *path, unsigned look)
{
	struct vms_file_access access;
	vms_file *reader;

	guard_again();
	cut_path = path;
	cut_at = look;
	real = vmsi_host;
	vmsi_host.fstat = cut_after_look;
	reader = open_with(path, VMS_FILE_ATOMIC | VMS_FILE_READ_ONLY,
			   PAGES * page_bytes());
	if (reader && vms_file_begin_access(reader, &access) == 0)
		(void)vms_file_end_access(&access, NULL);
	_exit(looks >= cut_at ? 1 : 0);
}

static void a_home_that_is_cut_off_raises_no_signal(void **state)
{
	const struct place *place = *state;
	char journal[128];
	unsigned look = 0;
	int status;

	(void)snprintf(journal, sizeof(journal), "%s.journal", place->path);
	do {
		pid_t child;

		stop_before_cut(place->path);
		child = fork();
		if (child == 0)
			read_while_it_is_cut(place->path, ++look);
		look++;
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) <= 1);
		assert_int_equal(unlink(place->path), 0);
		assert_int_equal(unlink(journal), 0);
	} while (WEXITSTATUS(status) == 1);
	assert_true(look > 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		file_test(what_was_cut_off_is_seen_again),
		file_test(a_copy_is_of_the_latest_commit),
		file_test(a_writer_has_its_turn),
		file_test(a_journal_is_laid_over_the_file_once),
		file_test(each_commit_of_a_writer_that_fails_is_seen),
		file_test(a_home_that_is_cut_off_raises_no_signal),
	};

	learn_guard();
	return cmocka_run_group_tests_name("file_reader", tests, NULL, NULL);
}
