/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <stdatomic.h>

#include "commit_fixture.h"
#include "file/atomic_state.h"
#include "file/file.h"
#include "host/host.h"

/* What the calls on commits answer, and what they cost. */

static void only_atomic_files_commit(void **state)
{
	const struct place *place = *state;
	vms_file *file = must_open(place->path, VMS_FILE_CREATE, 0);

	refused(vms_file_commit(file), EINVAL);
	refused(vms_file_rollback(file), EINVAL);
	refused(vms_file_will_write(file, 0, 0), EINVAL);
	worked(vms_file_close(file));
	file = must_open(place->path, VMS_FILE_ATOMIC | VMS_FILE_READ_ONLY, 0);
	refused(vms_file_commit(file), EBADF);
	refused(vms_file_rollback(file), EBADF);
	refused(vms_file_will_write(file, 0, 0), EBADF);
	refused(vms_file_sync(file, 0, 0, 0), EINVAL);
	worked(vms_file_close(file));
}

static void the_file_has_nothing_before_a_commit(void **state)
{
	const struct place *place = *state;
	vms_file *file = open_pages(place->path, TELLING);

	store(file, 3, 'a');
	worked(vms_file_append(file, NULL, 0, NULL));
	assert_int_equal(home_byte(place->path, 3), 0);
	worked(vms_file_commit(file));
	assert_int_equal(home_byte(place->path, 3), 'a');
	store(file, 3, 'b');
	worked(vms_file_close(file));
	assert_int_equal(home_byte(place->path, 3), 'a');
}

static void sizes_change_by_commits(void **state)
{
	const struct place *place = *state;
	const size_t page = page_bytes();
	vms_file *file = open_pages(place->path, TELLING);

	worked(vms_file_resize(file, page + 1));
	assert_int_equal(size_of(place->path), PAGES * page);
	assert_int_equal(vms_file_size(file), page + 1);
	worked(vms_file_rollback(file));
	assert_int_equal(vms_file_size(file), PAGES * page);
	worked(vms_file_resize(file, page + 1));
	worked(vms_file_commit(file));
	assert_int_equal(size_of(place->path), page + 1);
	refused(vms_file_resize(file, PAGES * page + 1), EFBIG);
	refused(vms_file_will_write(file, page, 2), ERANGE);
	worked(vms_file_close(file));
}

static void one_writes_at_a_time(void **state)
{
	const struct place *place = *state;
	vms_file *file = open_pages(place->path, TELLING);

	refused_null(open_with(place->path, TELLING, 0), EBUSY);
	worked(vms_file_close(file));
	file = open_pages(place->path, TELLING);
	worked(vms_file_close(file));
}

/* A closed file has no journal beside it. */
static void a_journal_goes_with_its_writer(void **state)
{
	const struct place *place = *state;
	char journal[128];
	vms_file *file = open_pages(place->path, TELLING);

	(void)snprintf(journal, sizeof(journal), "%s.journal", place->path);
	assert_int_equal(access(journal, F_OK), 0);
	worked(vms_file_close(file));
	assert_int_equal(access(journal, F_OK), -1);
}

static void a_stale_journal_is_refused(void **state)
{
	const struct place *place = *state;
	char journal[128];
	vms_file *file = open_pages(place->path, TELLING);

	(void)snprintf(journal, sizeof(journal), "%s.journal", place->path);
	worked(vms_file_close(file));
	write_file(journal, "no journal", 10);
	refused_null(open_with(place->path, TELLING, 0), EBADMSG);
	assert_true(strlen(vms_file_journal_problem()) > 10);
	assert_int_equal(unlink(journal), 0);
	file = open_pages(place->path, TELLING);
	assert_string_equal(vms_file_journal_problem(), "");
	worked(vms_file_close(file));
}

static void a_forked_child_has_a_copy(void **state)
{
	const struct place *place = *state;
	vms_file *file = open_pages(place->path, TELLING);
	pid_t child;

	store(file, 5, 'p');
	child = fork();
	if (child == 0) {
		char *byte = vms_file_at(file, 5 * page_bytes(), 1);
		const bool refuses =
			vms_file_commit(file) == -1 && errno == EPERM &&
			vms_file_rollback(file) == -1 && errno == EPERM &&
			vms_file_resize(file, 1) == -1 && errno == EPERM &&
			vms_file_append(file, "x", 1, NULL) == -1 &&
			errno == EPERM;

		vms_file_begin_update(file);
		vms_file_end_update(file);
		_exit(*byte == 'p' && (*byte = 'c') && refuses &&
		      vms_file_close(file) == 0 ? 0 : 1);
	}
	must_end_well(child);
	worked(vms_file_commit(file));
	assert_int_equal(home_byte(place->path, 5), 'p');
	worked(vms_file_close(file));
}

/* --- threads ------------------------------------------------------------------------- */

#define THREADS 8
#define COMMITS 50

static struct vmsi_host_calls real;
static atomic_uint syncs;
static atomic_int at_work, committing;
static vms_file *shared;

/* A disk that is slower than the others, who come meanwhile. The limit is for one that
 * cannot. */
static long count_fdatasync(int fd)
{
	atomic_fetch_add(&syncs, 1);
	for (int i = 0; i < 1000 && atomic_load(&committing) < atomic_load(&at_work); i++)
		real.nanosleep(100000);
	return real.fdatasync(fd);
}

static void *commit_often(void *argument)
{
	const uint64_t offset = (uintptr_t)argument * page_bytes();

	for (int i = 0; i < COMMITS; i++) {
		vms_file_begin_update(shared);
		if (vms_file_will_write(shared, offset, 1) != 0)
			return argument;
		++*(char *)vms_file_at(shared, offset, 1);
		vms_file_end_update(shared);
		atomic_fetch_add(&committing, 1);
		if (vms_file_commit(shared) != 0)
			return argument;
		atomic_fetch_sub(&committing, 1);
	}
	atomic_fetch_sub(&at_work, 1);
	return NULL;
}

static void threads_share_a_sync(void **state)
{
	const struct place *place = *state;
	pthread_t threads[THREADS];
	struct vms_file_stats stats = { .struct_size = sizeof(stats) };
	void *failed;

	shared = open_pages(place->path, TELLING);
	real = vmsi_host;
	vmsi_host.fdatasync = count_fdatasync;
	atomic_store(&syncs, 0);
	atomic_store(&at_work, THREADS);
	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, commit_often,
						(void *)(i + 1)), 0);
	for (int i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(threads[i], &failed), 0);
		assert_null(failed);
	}
	vmsi_host = real;
	assert_true(atomic_load(&syncs) < THREADS * COMMITS / 2);
	worked(vms_file_get_stats(shared, &stats));
	assert_int_equal(stats.commits, THREADS * COMMITS + 1);
	for (uint64_t i = 1; i <= THREADS; i++)
		assert_int_equal(home_byte(place->path, i), COMMITS);
	worked(vms_file_close(shared));
}

/* --- pages that are found --------------------------------------------------------------- */

static unsigned refused_controls;

static long refuse_controls(int fd, unsigned long request, void *argument)
{
	if (refused_controls > 0) {
		refused_controls--;
		return -ENOMEM;
	}
	return real.userfaultfd_control(fd, request, argument);
}

/*
 * What the file grows by cannot be followed, so a scan ends there, after it has taken the
 * pages before it for told.
 */
static void a_scan_that_ends_early_loses_nothing(void **state)
{
	const struct place *place = *state;
	vms_file *file = open_pages(place->path, VMS_FILE_ATOMIC | VMS_FILE_CREATE);

	worked(vms_file_resize(file, PAGES / 2 * page_bytes()));
	worked(vms_file_commit(file));
	store(file, 2, 's');
	real = vmsi_host;
	vmsi_host.userfaultfd_control = refuse_controls;
	refused_controls = 2;
	worked(vms_file_resize(file, PAGES * page_bytes()));
	(void)vms_file_commit(file);
	vmsi_host = real;
	worked(vms_file_resize(file, PAGES / 2 * page_bytes()));
	worked(vms_file_commit(file));
	assert_int_equal(home_byte(place->path, 2), 's');
	worked(vms_file_close(file));
}

/* --- memory -------------------------------------------------------------------------- */

/* A file of which most that is written has gone to the journal. */
static vms_file *open_spilled(const struct place *place)
{
	const struct vms_file_options options = {
		.struct_size = sizeof(options),
		.flags = TELLING,
		.maximum = PAGES * page_bytes(),
		.dirty_limit = 4 * page_bytes(),
	};
	struct vms_file_stats stats = { .struct_size = sizeof(stats) };
	vms_file *file = open_file(place->path, &options);

	assert_non_null(file);
	worked(vms_file_resize(file, PAGES * page_bytes()));
	for (uint64_t i = 0; i < PAGES; i++)
		store(file, i, (char)(i + 1));
	worked(vms_file_get_stats(file, &stats));
	assert_true(stats.spilled_bytes >= (PAGES - 8) * page_bytes());
	return file;
}

static void what_is_beyond_the_limit_is_in_the_journal(void **state)
{
	const struct place *place = *state;
	struct vms_file_stats stats = { .struct_size = sizeof(stats) };
	vms_file *file = open_spilled(place);

	for (uint64_t i = 0; i < PAGES; i++)
		assert_int_equal(*(char *)vms_file_at(file, i * page_bytes(), 1),
				 (char)(i + 1));
	worked(vms_file_commit(file));
	worked(vms_file_get_stats(file, &stats));
	assert_int_equal(stats.spilled_bytes, 0);
	for (uint64_t i = 0; i < PAGES; i++)
		assert_int_equal(home_byte(place->path, i), (char)(i + 1));
	worked(vms_file_close(file));
}

#define MANY_PAGES ((uint64_t)1024)

static void write_each(vms_file *file, char byte)
{
	for (uint64_t i = 0; i < MANY_PAGES; i++)
		store(file, i, byte);
}

/* A store into a page that the journal shows, when the commit has taken that. */
static long store_meanwhile(int fd)
{
	static bool is_storing;

	if (!is_storing) {
		is_storing = true;
		vms_file_begin_update(shared);
		store(shared, MANY_PAGES / 2, 'c');
		vms_file_end_update(shared);
		is_storing = false;
	}
	return real.fdatasync(fd);
}

/* The journal becomes smaller after a large commit; what is not committed yet stays. */
static void a_smaller_journal_takes_no_stores(void **state)
{
	const struct place *place = *state;
	const struct vms_file_options options = {
		.struct_size = sizeof(options),
		.flags = TELLING,
		.maximum = MANY_PAGES * page_bytes(),
		.dirty_limit = 4 * page_bytes(),
	};
	const char *middle;

	shared = open_file(place->path, &options);
	assert_non_null(shared);
	shared->atomic->journal.limit = (uint64_t)1 << 20;
	worked(vms_file_resize(shared, MANY_PAGES * page_bytes()));
	write_each(shared, 'a');
	worked(vms_file_commit(shared));
	write_each(shared, 'b');
	real = vmsi_host;
	vmsi_host.fdatasync = store_meanwhile;
	worked(vms_file_commit(shared));
	vmsi_host = real;
	assert_true(shared->atomic->journal.allocated <= (uint64_t)2 << 20);
	middle = vms_file_at(shared, MANY_PAGES / 2 * page_bytes(), 1);
	assert_int_equal(*middle, 'c');
	assert_int_equal(home_byte(place->path, MANY_PAGES / 2), 'b');
	write_each(shared, 'd');
	assert_int_equal(*middle, 'd');
	worked(vms_file_commit(shared));
	assert_int_equal(home_byte(place->path, MANY_PAGES / 2), 'd');
	worked(vms_file_close(shared));
}

/* The child's close must not take back what its parent has in the journal. */
static void a_child_leaves_the_journal_to_its_parent(void **state)
{
	const struct place *place = *state;
	vms_file *file = open_spilled(place);
	const pid_t child = fork();

	if (child == 0)
		_exit(vms_file_close(file) == 0 ? 0 : 1);
	must_end_well(child);
	worked(vms_file_commit(file));
	for (uint64_t i = 0; i < PAGES; i++)
		assert_int_equal(home_byte(place->path, i), (char)(i + 1));
	worked(vms_file_close(file));
}

/* --- what others do meanwhile ---------------------------------------------------------- */

static vms_file *cut;
static unsigned refreshes;

static long refresh_when_cut(int fd, uint64_t size)
{
	const long error = real.ftruncate(fd, size);

	if (cut) {
		worked(vms_file_refresh(cut));
		refreshes++;
	}
	return error;
}

/* Whoever has shortened the file, it is not somebody else. */
static void a_commit_that_cuts_the_file_is_no_loss(void **state)
{
	const struct place *place = *state;
	vms_file *file = must_open(place->path, VMS_FILE_ATOMIC | VMS_FILE_CREATE,
				   1 << 20);

	worked(vms_file_resize(file, 20 * page_bytes()));
	worked(vms_file_commit(file));
	real = vmsi_host;
	vmsi_host.ftruncate = refresh_when_cut;
	cut = file;
	worked(vms_file_resize(file, 5 * page_bytes()));
	worked(vms_file_commit(file));
	cut = NULL;
	vmsi_host = real;
	assert_true(refreshes > 0);
	worked(vms_file_close(file));
}

static void locked_memory_is_rolled_back(void **state)
{
	const struct place *place = *state;
	const size_t bytes = 4 * page_bytes();

	for (unsigned i = 0; i < 2; i++) {
		vms_file *file = must_open(place->path, VMS_FILE_ATOMIC |
					   VMS_FILE_CREATE |
					   (i ? VMS_FILE_TELLS : 0), 1 << 20);
		char *at;

		worked(vms_file_resize(file, bytes));
		at = vms_file_at(file, 0, bytes);
		worked(vms_file_will_write(file, 0, bytes));
		memset(at, 'a', bytes);
		worked(vms_file_commit(file));
		worked(vms_file_close(file));
		file = must_open(place->path, VMS_FILE_ATOMIC |
				 (i ? VMS_FILE_TELLS : 0), 1 << 20);
		at = vms_file_at(file, 0, bytes);
		if (mlock(at, bytes) != 0)
			skip();
		worked(vms_file_will_write(file, 0, 1));
		*at = 'b';
		worked(vms_file_rollback(file));
		assert_int_equal(*at, 'a');
		assert_int_equal(at[page_bytes()], 'a');
		worked(vms_file_close(file));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		file_test(only_atomic_files_commit),
		file_test(the_file_has_nothing_before_a_commit),
		file_test(sizes_change_by_commits),
		file_test(one_writes_at_a_time),
		file_test(a_journal_goes_with_its_writer),
		file_test(a_stale_journal_is_refused),
		file_test(a_forked_child_has_a_copy),
		file_test(threads_share_a_sync),
		file_test(a_scan_that_ends_early_loses_nothing),
		file_test(what_is_beyond_the_limit_is_in_the_journal),
		file_test(a_smaller_journal_takes_no_stores),
		file_test(a_child_leaves_the_journal_to_its_parent),
		file_test(a_commit_that_cuts_the_file_is_no_loss),
		file_test(locked_memory_is_rolled_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
