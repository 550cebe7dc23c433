/* SPDX-License-Identifier: MIT */
#include <sys/resource.h>

#include "host/host.h"
#include "pool_snapshot_fixture.h"

/* What a child has of a pool whose parent cannot save, or is gone; files that cannot be used. */

/* --- when the parent cannot save, or is gone ------------------------------------------------------------------- */

/* In the child: each page is as it was, or EIO. Returns how many are EIO; -1: one is wrong. */
static int count_lost(vms_pool *pool)
{
	int lost = 0;

	for (uint64_t page = 0; page < FILE_PAGES; page++) {
		const char *bytes = vms_pool_fix(pool, page, VMS_POOL_READ);

		if (!bytes && errno != EIO)
			return -1;
		lost += !bytes;
		if (bytes && (!page_is(bytes, page, 0) || vms_pool_unfix(pool, page) != 0))
			return -1;
	}
	return lost;
}

static void not_enough_room(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, FILE_PAGES);
	vms_pool *pool = must_open_snapshots(fd, 0, 100 * PAGE);
	struct signs signs = make_signs();
	pid_t child;

	must_be(pool, 511, 0);
	child = fork();
	if (child == 0) {
		int lost;

		child_needs(child_awaits(&signs));
		child_needs(child_has(pool, 511, 0));
		lost = count_lost(pool);
		/* One is in memory, and as many are saved as there is room for batches. */
		child_needs(lost >= FILE_PAGES - 101 && lost < FILE_PAGES - 1);
		_exit(0);
	}
	change_and_flush(pool, 1);
	give_sign(&signs);
	must_end_well(child);
	for (uint64_t page = 0; page < FILE_PAGES; page++)
		assert_int_equal(state_in_file(place->path, page), 1);
	drop_signs(&signs);
	close_all(pool, fd);
}

/*
 * What the second child has is saved behind all that the first can have. Threads of the
 * library's own let no signal in.
 */
static void a_limit_that_is_lowered(void **state)
{
	const struct place *place = *state;
	const struct rlimit small = { 3 * SNAPSHOT_BYTES / 2, RLIM_INFINITY };
	int fd = make_pages(place->path, FILE_PAGES);
	vms_pool *pool = must_open_snapshots(fd, VMS_POOL_NO_WRITER, SNAPSHOT_BYTES);
	struct signs signs[] = { make_signs(), make_signs() };
	struct rlimit before;
	pid_t children[2];

	for (int i = 0; i < 2; i++) {
		children[i] = fork();
		if (children[i] == 0) {
			child_needs(child_awaits(&signs[i]));
			child_needs(count_lost(pool) == (i ? FILE_PAGES : 0));
			_exit(0);
		}
	}
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	change_and_flush(pool, 1);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	for (int i = 0; i < 2; i++) {
		give_sign(&signs[i]);
		must_end_well(children[i]);
		drop_signs(&signs[i]);
	}
	close_all(pool, fd);
}

static void after_the_pool_is_closed(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, FILE_PAGES);
	vms_pool *pool = must_open_snapshots(fd, 0, SNAPSHOT_BYTES);
	struct signs signs = make_signs();
	pid_t child;

	for (uint64_t page = 0; page < 10; page++)
		must_be(pool, page, 0);
	child = fork();
	if (child == 0) {
		child_needs(child_awaits(&signs));
		child_needs(count_lost(pool) == FILE_PAGES - 10);
		_exit(0);
	}
	close_all(pool, fd);
	give_sign(&signs);
	must_end_well(child);
	drop_signs(&signs);
}

static void after_the_parent_is_gone(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, FILE_PAGES);
	struct signs signs = make_signs(), end = make_signs();
	char verdict = 0;
	pid_t parent = fork();

	if (parent == 0) {
		vms_pool *pool = must_open_snapshots(fd, 0, SNAPSHOT_BYTES);

		must_be(pool, 0, 0);
		if (fork() == 0) {
			child_needs(child_awaits(&signs));
			verdict = count_lost(pool) == FILE_PAGES - 1 ? 'y' : 'n';
			_exit(write(end.to, &verdict, 1) != 1);
		}
		_exit(0);
	}
	must_end_well(parent);
	give_sign(&signs);
	assert_int_equal(read(end.from, &verdict, 1), 1);
	assert_int_equal(verdict, 'y');
	drop_signs(&signs);
	drop_signs(&end);
	assert_int_equal(close(fd), 0);
}

static struct vmsi_host_calls real;
static unsigned locks;

static long no_locks(int fd, int command, struct flock *lock)
{
	(void)fd;
	(void)command;
	(void)lock;
	return -ENOLCK;
}

/* A child that cannot tell whether its parent lives does not believe what it reads. */
static void a_host_that_does_not_tell(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, FILE_PAGES);
	vms_pool *pool = must_open_snapshots(fd, 0, SNAPSHOT_BYTES);
	pid_t child;

	must_be(pool, 0, 0);
	child = fork();
	if (child == 0) {
		real = vmsi_host;
		vmsi_host.file_lock = no_locks;
		child_needs(count_lost(pool) == FILE_PAGES - 1);
		vmsi_host = real;
		child_needs(count_lost(pool) == 0);
		_exit(0);
	}
	must_end_well(child);
	close_all(pool, fd);
}

static long noted_lock(int fd, int command, struct flock *lock)
{
	locks += command == F_OFD_SETLK;
	return real.file_lock(fd, command, lock);
}

/* To the child who has the parent's lock is the parent, if only for a moment. */
static void nobody_takes_the_parents_place(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, FILE_PAGES), saved = make_nameless();
	struct signs begun = make_signs(), end = make_signs();
	pid_t parent = fork();

	if (parent == 0) {
		child_needs(open_snapshots(fd, saved, 0, SNAPSHOT_BYTES));
		if (fork() == 0) {
			give_sign(&begun);
			_exit(!child_awaits(&end));
		}
		await_sign(&begun);
		_exit(0);
	}
	must_end_well(parent);
	real = vmsi_host;
	vmsi_host.file_lock = noted_lock;
	locks = 0;
	refused_null(open_snapshots(fd, saved, 0, SNAPSHOT_BYTES), EBUSY);
	vmsi_host = real;
	assert_int_equal(locks, 0);
	give_sign(&end);
	drop_signs(&begun);
	drop_signs(&end);
	assert_int_equal(close(saved), 0);
	assert_int_equal(close(fd), 0);
}

/* --- what cannot be opened ---------------------------------------------------------------------------------------------- */

static void must_be_refused(int fd, int saved, uint64_t bytes, int error)
{
	refused_null(open_snapshots(fd, saved, 0, bytes), error);
}

static void refusals(void **state)
{
	const struct place *place = *state;
	const struct rlimit small = { 7 * SNAPSHOT_BYTES, RLIM_INFINITY };
	int fd = make_pages(place->path, FILE_PAGES), saved = make_nameless();
	int pair[2], only_read = open(place->path, O_RDONLY | O_CLOEXEC);
	struct rlimit before;
	vms_pool *pool;

	assert_int_equal(pipe(pair), 0);
	must_be_refused(fd, saved, PAGE - 1, EINVAL);
	must_be_refused(fd, saved, PAGE << 24, EINVAL);
	must_be_refused(fd, fd, SNAPSHOT_BYTES, EINVAL);
	must_be_refused(fd, pair[1], SNAPSHOT_BYTES, EBADF);
	must_be_refused(fd, only_read, SNAPSHOT_BYTES, EBADF);
	must_be_refused(fd, -1, SNAPSHOT_BYTES, EBADF);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	must_be_refused(fd, saved, SNAPSHOT_BYTES, EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	pool = open_snapshots(fd, saved, 0, SNAPSHOT_BYTES);
	assert_non_null(pool);
	must_be_refused(fd, saved, SNAPSHOT_BYTES, EBUSY);
	worked(vms_pool_close(pool));
	pool = open_snapshots(fd, saved, 0, 0);
	assert_non_null(pool);
	worked(vms_pool_close(pool));
	assert_int_equal(close(saved), 0);
	assert_int_equal(close(only_read), 0);
	assert_int_equal(close(pair[0]), 0);
	assert_int_equal(close(pair[1]), 0);
	assert_int_equal(close(fd), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		file_test(not_enough_room),
		file_test(a_limit_that_is_lowered),
		file_test(after_the_pool_is_closed),
		file_test(after_the_parent_is_gone),
		file_test(a_host_that_does_not_tell),
		file_test(nobody_takes_the_parents_place),
		file_test(refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
