/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/prctl.h>

#include "file_fixture.h"
#include "host/host.h"

/* What the child of a fork has of an atomic file, and what it leaves its parent. */

#define WRITES (VMS_FILE_ATOMIC | VMS_FILE_CREATE)
#define PAGES 64
#define LIMIT_PAGES 4

static vms_file *open_limited(const struct place *place, unsigned flags)
{
	const struct vms_file_options options = {
		.struct_size = sizeof(options),
		.flags = flags,
		.maximum = 2 * PAGES * page_bytes(),
		.dirty_limit = LIMIT_PAGES * page_bytes(),
	};
	vms_file *file = open_file(place->path, &options);

	assert_non_null(file);
	worked(vms_file_resize(file, 2 * PAGES * page_bytes()));
	worked(vms_file_commit(file));
	return file;
}

static char *page_of(vms_file *file, uint64_t page)
{
	return vms_file_at(file, page * page_bytes(), page_bytes());
}

static int store_from(vms_file *file, uint64_t first, int add)
{
	for (uint64_t i = first; i < first + PAGES; i++) {
		if (vms_file_will_write(file, i * page_bytes(), page_bytes()) != 0)
			return -1;
		memset(page_of(file, i), (int)i + add, page_bytes());
	}
	return 0;
}

static bool has(vms_file *file, int add)
{
	for (uint64_t i = 0; i < PAGES; i++)
		if (*page_of(file, i) != (char)(i + (unsigned)add) ||
		    page_of(file, i)[page_bytes() - 1] != *page_of(file, i))
			return false;
	return true;
}

static uint64_t spilled_bytes(vms_file *file)
{
	struct vms_file_stats stats = { .struct_size = sizeof(stats) };

	worked(vms_file_get_stats(file, &stats));
	return stats.spilled_bytes;
}

static vms_file *open_spilled(const struct place *place)
{
	vms_file *file = open_limited(place, WRITES | VMS_FILE_TELLS);

	worked(store_from(file, 0, 1));
	assert_true(spilled_bytes(file) >= (PAGES - 2 * LIMIT_PAGES) * page_bytes());
	return file;
}

/* --- the journal ---------------------------------------------------------------------- */

/* What its parent has spilled after the fork lies where the child would write. */
static void a_child_that_tells_much_leaves_the_journal_alone(void **state)
{
	const struct place *place = *state;
	vms_file *file = open_limited(place, WRITES | VMS_FILE_TELLS);
	int go[2];
	char byte;
	pid_t child;

	assert_int_equal(pipe(go), 0);
	child = fork();
	if (child == 0) {
		child_needs(read(go[0], &byte, 1) == 1);
		child_needs(store_from(file, PAGES, 100) == 0);
		child_needs(vms_file_copy_in(file, 0, "c", 1) == 0);
		child_needs(*page_of(file, 0) == 'c');
		_exit(0);
	}
	worked(store_from(file, 0, 1));
	assert_true(spilled_bytes(file) > 0);
	assert_int_equal(write(go[1], "g", 1), 1);
	must_end_well(child);
	assert_true(has(file, 1));
	worked(vms_file_commit(file));
	worked(vms_file_close(file));
	file = must_open(place->path, VMS_FILE_ATOMIC, 0);
	assert_true(has(file, 1));
	assert_int_equal(*page_of(file, PAGES), 0);
	worked(vms_file_close(file));
	(void)close(go[0]);
	(void)close(go[1]);
}

/* The parent writes other pages where the journal had those that the child has. */
static void what_was_spilled_stays_as_it_was_at_the_fork(void **state)
{
	const struct place *place = *state;
	vms_file *file = open_spilled(place);
	int go[2];
	char byte;
	pid_t child;

	assert_int_equal(pipe(go), 0);
	child = fork();
	if (child == 0) {
		child_needs(has(file, 1));
		child_needs(read(go[0], &byte, 1) == 1);
		child_needs(has(file, 1));
		child_needs(store_from(file, 0, 5) == 0 && has(file, 5));
		_exit(0);
	}
	worked(vms_file_rollback(file));
	worked(store_from(file, 0, 77));
	assert_true(spilled_bytes(file) > 0);
	assert_int_equal(write(go[1], "g", 1), 1);
	must_end_well(child);
	assert_true(has(file, 77));
	worked(vms_file_commit(file));
	worked(vms_file_close(file));
	(void)close(go[0]);
	(void)close(go[1]);
}

static struct vmsi_host_calls real;

static long refuse_mmap(uintptr_t address, size_t length, int prot, int flags,
			int fd, uint64_t offset)
{
	(void)fd;
	(void)offset;
	return address ? real.mmap(address, length, prot, flags, fd, offset) :
		-ENOMEM;
}

/* Where there is no memory for it, the child has no wrong bytes, either. */
static void what_could_not_be_copied_cannot_be_touched(void **state)
{
	const struct place *place = *state;
	vms_file *file = open_spilled(place);
	int status;
	pid_t child;

	real = vmsi_host;
	vmsi_host.mmap = refuse_mmap;
	child = fork();
	vmsi_host = real;
	if (child == 0) {
		(void)prctl(PR_SET_DUMPABLE, 0);
		(void)signal(SIGSEGV, SIG_DFL);
		_exit(*(volatile char *)page_of(file, 0));
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSEGV);
	assert_true(has(file, 1));
	worked(vms_file_close(file));
}

/* --- locks ---------------------------------------------------------------------------- */

/* A writer and its child, which is alone left. */
static pid_t leave_a_child(const struct place *place)
{
	int ends[2];
	pid_t writer, child;

	assert_int_equal(pipe(ends), 0);
	writer = fork();
	if (writer == 0) {
		const vms_file *file = open_limited(place, WRITES);

		child_needs(file);
		if (fork() == 0) {
			child = getpid();
			child_needs(write(ends[1], &child, sizeof(child)) > 0);
			(void)pause();
		}
		(void)pause();
	}
	assert_int_equal(read(ends[0], &child, sizeof(child)), sizeof(child));
	assert_int_equal(kill(writer, SIGKILL), 0);
	assert_int_equal(waitpid(writer, NULL, 0), writer);
	(void)close(ends[0]);
	(void)close(ends[1]);
	return child;
}

static void a_child_keeps_no_lock_of_a_writer_that_is_gone(void **state)
{
	const struct place *place = *state;
	const pid_t child = leave_a_child(place);
	vms_file *file = open_with(place->path, VMS_FILE_ATOMIC, 0);

	assert_int_equal(kill(child, SIGKILL), 0);
	assert_non_null(file);
	worked(vms_file_close(file));
}

/* --- updates -------------------------------------------------------------------------- */

static void an_update_may_end_in_a_child(void **state)
{
	const struct place *place = *state;
	vms_file *file = open_limited(place, WRITES);
	pid_t child;

	vms_file_begin_update(file);
	child = fork();
	if (child == 0) {
		(void)alarm(20);
		vms_file_end_update(file);
		vms_file_begin_update(file);
		vms_file_end_update(file);
		_exit(0);
	}
	must_end_well(child);
	vms_file_end_update(file);
	worked(vms_file_commit(file));
	worked(vms_file_close(file));
}

/* --- stalled stores ------------------------------------------------------------------- */

static vms_file *stalled;
static pid_t forked;

static long has_no_userfaultfd(int flags)
{
	(void)flags;
	return -ENOSYS;
}

/* A system call tells what a store would wait for. */
static bool can_store(char *page)
{
	int ends[2];
	const bool can = pipe(ends) == 0 && write(ends[1], "s", 1) == 1 &&
		read(ends[0], page, 1) == 1;

	if (can)
		*page = 't';
	return can;
}

/* In the midst of a commit, while stores wait for its end. */
static long fork_and_sync(int fd)
{
	vmsi_host.fdatasync = real.fdatasync;
	forked = fork();
	if (forked == 0)
		_exit(can_store(page_of(stalled, 3)) &&
		      can_store(page_of(stalled, 2 * PAGES - 1)) ? 0 : 1);
	return real.fdatasync(fd);
}

static void stores_are_not_stalled_in_a_child(void **state)
{
	const struct place *place = *state;

	real = vmsi_host;
	vmsi_host.userfaultfd = has_no_userfaultfd;
	stalled = open_limited(place, WRITES);
	*page_of(stalled, 3) = 'p';
	vmsi_host.fdatasync = fork_and_sync;
	worked(vms_file_commit(stalled));
	vmsi_host = real;
	must_end_well(forked);
	assert_int_equal(*page_of(stalled, 3), 'p');
	worked(vms_file_close(stalled));
}

/* --- readers -------------------------------------------------------------------------- */

/* Far past the end of the file: see homelock.c. */
#define READING_BYTE ((off_t)0x6e00000000000000 + 2)

/* Whether somebody keeps a commit from being written into the file. */
static bool is_read(const char *path)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET,
			      .l_start = READING_BYTE, .l_len = 1 };
	const int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0 || fcntl(fd, F_OFD_GETLK, &lock) != 0 || close(fd) != 0)
		abort();
	return lock.l_type != F_UNLCK;
}

static vms_file *open_reader(const struct place *place)
{
	worked(vms_file_close(open_limited(place, WRITES)));
	return must_open(place->path, VMS_FILE_ATOMIC | VMS_FILE_READ_ONLY, 0);
}

static bool read_once(vms_file *file)
{
	struct vms_file_access access;

	return vms_file_begin_access(file, &access) == 0 &&
		vms_file_end_access(&access, NULL) == 0;
}

static void a_childs_accesses_are_not_its_parents(void **state)
{
	const struct place *place = *state;
	vms_file *file = open_reader(place);
	struct vms_file_access access;
	int go[2];
	char byte;
	pid_t child;

	assert_int_equal(pipe(go), 0);
	child = fork();
	if (child == 0) {
		child_needs(read(go[0], &byte, 1) == 1);
		child_needs(read_once(file));
		_exit(0);
	}
	worked(vms_file_begin_access(file, &access));
	assert_int_equal(write(go[1], "g", 1), 1);
	must_end_well(child);
	assert_true(is_read(place->path));
	worked(vms_file_end_access(&access, NULL));
	assert_false(is_read(place->path));
	worked(vms_file_close(file));
	(void)close(go[0]);
	(void)close(go[1]);
}

/* A fork in an access: each of the two is in one, and ends its own. */
static void an_access_goes_on_in_a_child(void **state)
{
	const struct place *place = *state;
	vms_file *file = open_reader(place);
	struct vms_file_access access;
	int go[2], done[2];
	char byte;
	pid_t child;

	assert_int_equal(pipe(go), 0);
	assert_int_equal(pipe(done), 0);
	worked(vms_file_begin_access(file, &access));
	child = fork();
	if (child == 0) {
		child_needs(read(go[0], &byte, 1) == 1);
		child_needs(is_read(place->path) && read_once(file));
		child_needs(is_read(place->path));
		child_needs(vms_file_end_access(&access, NULL) == 0);
		child_needs(write(done[1], "d", 1) == 1);
		child_needs(read(go[0], &byte, 1) == 1);
		child_needs(read_once(file) && vms_file_close(file) == 0);
		_exit(0);
	}
	worked(vms_file_end_access(&access, NULL));
	assert_true(is_read(place->path));
	assert_int_equal(write(go[1], "g", 1), 1);
	assert_int_equal(read(done[0], &byte, 1), 1);
	assert_false(is_read(place->path));
	assert_int_equal(write(go[1], "g", 1), 1);
	must_end_well(child);
	worked(vms_file_close(file));
	(void)close(go[0]);
	(void)close(go[1]);
	(void)close(done[0]);
	(void)close(done[1]);
}

static long refuse_open(const char *path, int flags, mode_t mode)
{
	(void)path;
	(void)flags;
	(void)mode;
	return -EMFILE;
}

/* Where there is no descriptor for the lock, the access tells that it had none. */
static void an_access_without_a_lock_fails_in_a_child(void **state)
{
	const struct place *place = *state;
	vms_file *file = open_reader(place);
	struct vms_file_access access;
	pid_t child;

	worked(vms_file_begin_access(file, &access));
	real = vmsi_host;
	vmsi_host.open_file = refuse_open;
	child = fork();
	vmsi_host = real;
	if (child == 0) {
		child_needs(!read_once(file));
		child_needs(vms_file_end_access(&access, NULL) == -1);
		child_needs(errno == EIO);
		child_needs(read_once(file));
		_exit(0);
	}
	must_end_well(child);
	worked(vms_file_end_access(&access, NULL));
	worked(vms_file_close(file));
}

static vms_file *read_by_threads;
static atomic_bool stop;

static void *read_often(void *none)
{
	while (!atomic_load(&stop))
		if (!read_once(read_by_threads))
			return read_by_threads;
	return none;
}

#define FORKS 50

static void a_fork_while_others_read(void **state)
{
	const struct place *place = *state;
	pthread_t thread;
	void *failed;

	read_by_threads = open_reader(place);
	atomic_store(&stop, false);
	assert_int_equal(pthread_create(&thread, NULL, read_often, NULL), 0);
	for (int i = 0; i < FORKS; i++) {
		const pid_t child = fork();

		if (child == 0) {
			(void)alarm(20);
			child_needs(read_once(read_by_threads));
			_exit(0);
		}
		must_end_well(child);
	}
	atomic_store(&stop, true);
	assert_int_equal(pthread_join(thread, &failed), 0);
	assert_null(failed);
	worked(vms_file_close(read_by_threads));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		file_test(a_child_that_tells_much_leaves_the_journal_alone),
		file_test(what_was_spilled_stays_as_it_was_at_the_fork),
		file_test(what_could_not_be_copied_cannot_be_touched),
		file_test(a_child_keeps_no_lock_of_a_writer_that_is_gone),
		file_test(an_update_may_end_in_a_child),
		file_test(stores_are_not_stalled_in_a_child),
		file_test(a_childs_accesses_are_not_its_parents),
		file_test(an_access_goes_on_in_a_child),
		file_test(an_access_without_a_lock_fails_in_a_child),
		file_test(a_fork_while_others_read),
	};

	return cmocka_run_group_tests_name("file_fork", tests, NULL, NULL);
}
