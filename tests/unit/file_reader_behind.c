/* SPDX-License-Identifier: MIT */
#include <pthread.h>

#include "commit_fixture.h"
#include "host/host.h"

/*
 * Readers of a file that is behind its journal, since another reader stays in an access:
 * they see what was acknowledged, whatever the writer does in the journal meanwhile.
 */

#define DOOR_BYTE ((off_t)0x6e00000000000000 + 1)

static struct vmsi_host_calls real;

static struct {
	vms_file *file;        /* the writer */
	vms_file *staying, *looking;
	struct vms_file_access stay;
	const char *path, *journal;
	bool fails;            /* the next fdatasync */
	char seen;             /* during it */
	unsigned commits;      /* that are still to be made while the journal is read */
	char byte;             /* of the latest one */
	bool is_busy;
	unsigned held;         /* times that readers had DOOR, and nobody else wanted it */
} run;

/* The files are opened by the fixture, which has handlers of its own. */
static int enter(vms_file *file, struct vms_file_access *access)
{
	guard_again();
	return vms_file_begin_access(file, access);
}

static int begin(void **state)
{
	static char journal[128];
	const struct place *place;

	if (make_place(state) != 0)
		return -1;
	place = *state;
	memset(&run, 0, sizeof(run));
	real = vmsi_host;
	(void)snprintf(journal, sizeof(journal), "%s.journal", place->path);
	run.path = place->path;
	run.journal = journal;
	run.file = open_pages(place->path, TELLING);
	run.staying = must_open(place->path, VMS_FILE_ATOMIC | VMS_FILE_READ_ONLY,
				PAGES * page_bytes());
	run.looking = must_open(place->path, VMS_FILE_ATOMIC | VMS_FILE_READ_ONLY,
				PAGES * page_bytes());
	store(run.file, 0, 'a');
	worked(vms_file_commit(run.file));
	worked(enter(run.staying, &run.stay));
	return 0;
}

static int end(void **state)
{
	vmsi_host = real;
	worked(vms_file_end_access(&run.stay, NULL));
	worked(vms_file_close(run.looking));
	worked(vms_file_close(run.staying));
	worked(vms_file_close(run.file));
	return drop_place(state);
}

static char look(void)
{
	struct vms_file_access access;
	char byte;

	if (enter(run.looking, &access) != 0)
		return '!';
	byte = *(const char *)vms_file_at(run.looking, 0, 1);
	return vms_file_end_access(&access, NULL) == 0 ? byte : '?';
}

static void commit(char byte)
{
	store(run.file, 0, byte);
	worked(vms_file_commit(run.file));
}

/* What others do meanwhile is done by a thread of its own, with no lock of this one. */
static void meanwhile(void *(*what)(void *))
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, what, NULL) != 0 ||
	    pthread_join(thread, NULL) != 0)
		abort();
}

/* --- a commit that is not durable yet ----------------------------------------------------- */

static void *look_meanwhile(void *none)
{
	run.seen = look();
	return none;
}

static long look_and_fail(int fd)
{
	if (!run.fails)
		return real.fdatasync(fd);
	run.fails = false;
	meanwhile(look_meanwhile);
	return -EIO;
}

static void a_commit_is_not_seen_before_it_is_durable(void **state)
{
	(void)state;
	commit('b');
	assert_int_equal(look(), 'b');
	vmsi_host.fdatasync = look_and_fail;
	run.fails = true;
	store(run.file, 0, 'c');
	refused(vms_file_commit(run.file), EIO);
	assert_int_equal(run.seen, 'b');
	assert_int_equal(look(), 'b');
	/* As long as the one that has failed, and in its place. */
	commit('d');
	assert_int_equal(look(), 'd');
}

/* --- commits while the journal is read ----------------------------------------------------- */

static bool is_of_journal(int fd)
{
	struct stat read_from, journal;

	return fstat(fd, &read_from) == 0 && stat(run.journal, &journal) == 0 &&
		read_from.st_ino == journal.st_ino;
}

static void *commit_twice(void *none)
{
	for (int i = 0; i < 2; i++) {
		if (vms_file_will_write(run.file, 0, 1) != 0)
			abort();
		*(char *)vms_file_at(run.file, 0, 1) = ++run.byte;
		if (vms_file_commit(run.file) != 0)
			abort();
	}
	return none;
}

static long commit_and_read(int fd, void *bytes, size_t length, uint64_t offset)
{
	if (run.commits > 0 && !run.is_busy && is_of_journal(fd)) {
		run.is_busy = true;
		run.commits--;
		meanwhile(commit_twice);
		run.is_busy = false;
	}
	return real.pread(fd, bytes, length, offset);
}

static void commits_do_not_disturb_who_reads_the_journal(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		commit('b');
		run.byte = 'b';
		run.commits = 12;
		vmsi_host.pread = commit_and_read;
		assert_in_range(look(), 'b', run.byte);
		vmsi_host = real;
	}
}

/* --- what is read of a journal ----------------------------------------------------------- */

static unsigned reads, mappings;

static long count_reads(int fd, void *bytes, size_t length, uint64_t offset)
{
	reads++;
	return real.pread(fd, bytes, length, offset);
}

static long count_mappings(uintptr_t address, size_t length, int prot, int flags,
			   int fd, uint64_t offset)
{
	mappings++;
	return real.mmap(address, length, prot, flags, fd, offset);
}

/* Not all of the journal for each commit: it may have thousands. */
static void what_was_laid_is_not_laid_again(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		store(run.file, 1 + i % (PAGES - 1), 'b');
		commit('b');
	}
	assert_int_equal(look(), 'b');
	for (char byte = 'c'; byte < 'g'; byte++) {
		commit(byte);
		reads = mappings = 0;
		vmsi_host.pread = count_reads;
		vmsi_host.mmap = count_mappings;
		assert_int_equal(look(), byte);
		vmsi_host = real;
		assert_in_range(reads, 1, 8);
		assert_int_equal(mappings, 0);
	}
}

/* Sizes, too, and pages that are cut off and come again. */
static void what_comes_is_laid_over_what_was(void **state)
{
	const uint64_t page = page_bytes();

	(void)state;
	for (unsigned i = 0; i < 6; i++) {
		const uint64_t size = (i % 2 ? PAGES : 3) * page - 100;
		struct vms_file_access access;
		const char *at;

		worked(vms_file_resize(run.file, size));
		commit((char)('b' + i));
		if (i % 2)
			store(run.file, 9 + i, 'x');
		commit((char)('b' + i));
		worked(enter(run.looking, &access));
		assert_int_equal(vms_file_size(run.looking), size);
		at = vms_file_at(run.looking, 0, size);
		assert_memory_equal(at, vms_file_at(run.file, 0, size), size);
		worked(vms_file_end_access(&access, NULL));
	}
}

/* --- the door -------------------------------------------------------------------------- */

static bool door_is_held(void)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET,
			      .l_start = DOOR_BYTE, .l_len = 1 };
	const int fd = open(run.path, O_RDWR | O_CLOEXEC);
	const int error = fcntl(fd, F_OFD_GETLK, &lock);

	(void)close(fd);
	return error != 0 || lock.l_type != F_UNLCK;
}

/* Each call on locks is an instant at which a writer may come. */
static long watch_door(int fd, int command, struct flock *lock)
{
	run.held += door_is_held();
	return real.file_lock(fd, command, lock);
}

/* Among many who have it, if each for a moment only, a writer would wait for ever. */
static void readers_leave_the_door_to_writers(void **state)
{
	(void)state;
	/* Who is in an access does not come by the door. */
	worked(vms_file_end_access(&run.stay, NULL));
	vmsi_host.file_lock = watch_door;
	assert_int_equal(look(), 'a');
	vmsi_host = real;
	assert_int_equal(run.held, 0);
	worked(enter(run.staying, &run.stay));
}

#define behind_test(function) \
	cmocka_unit_test_setup_teardown(function, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		behind_test(a_commit_is_not_seen_before_it_is_durable),
		behind_test(commits_do_not_disturb_who_reads_the_journal),
		behind_test(what_was_laid_is_not_laid_again),
		behind_test(what_comes_is_laid_over_what_was),
		behind_test(readers_leave_the_door_to_writers),
	};

	return cmocka_run_group_tests_name("file_reader_behind", tests, NULL, NULL);
}
