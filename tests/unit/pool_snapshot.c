/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "host/host.h"
#include "pool_snapshot_fixture.h"

/* The child of a fork has a pool as it was at the fork. */

/* --- what a child sees ----------------------------------------------------------------------------- */

/*
 * In the child: pages are in the states that they had, also when they are looked at again
 * after all others.
 */
static void child_sees(vms_pool *pool, const unsigned *states)
{
	child_needs(vms_pool_pages(pool) == FILE_PAGES);
	for (int round = 0; round < 2; round++)
		for (uint64_t page = 0; page < FILE_PAGES; page++)
			child_needs(child_has(pool, page, states[page]));
	for (uint64_t page = 0; page < FILE_PAGES; page += 7) {
		uint64_t ticket;
		const void *bytes = vms_pool_begin(pool, page, &ticket);

		child_needs(bytes && page_is(bytes, page, states[page]));
		child_needs(vms_pool_validate(pool, page, ticket));
	}
}

/* Dirty ones, clean ones, and some that are not in memory, of each there are many. */
static void arrange(vms_pool *pool, unsigned *states)
{
	memset(states, 0, FILE_PAGES * sizeof(*states));
	for (uint64_t page = 0; page < 300; page += 3)
		change(pool, page, states[page] = 1, 0);
	worked(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL));
	for (uint64_t page = 0; page < FILE_PAGES; page += 2)
		change(pool, page, states[page] = 2, 0);
}

static void as_it_was(void **state)
{
	const struct place *place = *state;

	for (unsigned i = 0; i < 4; i++) {
		const unsigned flags = (i & 1 ? VMS_POOL_ADDRESSED : 0) |
			(i & 2 ? VMS_POOL_NO_WRITER : 0);
		int fd = make_pages(place->path, FILE_PAGES);
		vms_pool *pool = must_open_snapshots(fd, flags, SNAPSHOT_BYTES);
		unsigned states[FILE_PAGES];
		struct signs signs = make_signs();
		pid_t child;

		arrange(pool, states);
		child = fork();
		if (child == 0) {
			child_needs(child_awaits(&signs));
			child_sees(pool, states);
			child_needs(vms_pool_close(pool) == 0);
			_exit(0);
		}
		change_and_flush(pool, 3);
		give_sign(&signs);
		must_end_well(child);
		for (uint64_t page = 0; page < FILE_PAGES; page++)
			must_be(pool, page, 3);
		drop_signs(&signs);
		close_all(pool, fd);
	}
}

/* --- a page that is written while the child reads it -------------------------------------------------- */

static long (*real_pread)(int fd, void *buffer, size_t length, uint64_t offset);
static struct signs changing, changed;
static bool has_asked;

/* The first time, have the parent write what is about to be read. */
static long late_pread(int fd, void *buffer, size_t length, uint64_t offset)
{
	if (!has_asked && offset == 400 * PAGE) {
		has_asked = true;
		give_sign(&changing);
		await_sign(&changed);
	}
	return real_pread(fd, buffer, length, offset);
}

static void written_while_it_reads(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, FILE_PAGES);
	vms_pool *pool = must_open_snapshots(fd, 0, SNAPSHOT_BYTES);
	pid_t child;

	changing = make_signs();
	changed = make_signs();
	real_pread = vmsi_host.pread;
	child = fork();
	if (child == 0) {
		vmsi_host.pread = late_pread;
		child_needs(child_has(pool, 400, 0) && has_asked);
		_exit(0);
	}
	await_sign(&changing);
	change(pool, 400, 1, 0);
	worked(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL));
	assert_int_equal(state_in_file(place->path, 400), 1);
	give_sign(&changed);
	must_end_well(child);
	drop_signs(&changing);
	drop_signs(&changed);
	close_all(pool, fd);
}

/* --- a page that another thread was reading --------------------------------------------------------------- */

static vms_pool *read_pool;

static void *read_one(void *unused)
{
	must_be(read_pool, 400, 0);
	return unused;
}

/* It is not there, and has no slot: nobody reads it here. */
static void read_by_another_thread(void **state)
{
	const struct place *place = *state;

	for (unsigned flags = 0; flags <= VMS_POOL_ADDRESSED; flags++) {
		int fd = make_pages(place->path, FILE_PAGES);
		pthread_t thread;
		pid_t child;

		read_pool = must_open_snapshots(fd, flags, SNAPSHOT_BYTES);
		changing = make_signs();
		changed = make_signs();
		real_pread = vmsi_host.pread;
		has_asked = false;
		vmsi_host.pread = late_pread;
		assert_int_equal(pthread_create(&thread, NULL, read_one, NULL), 0);
		await_sign(&changing);
		child = fork();
		if (child == 0) {
			child_needs(pool_stats(read_pool).resident == 0);
			child_needs(child_has(read_pool, 400, 0));
			child_needs(pool_stats(read_pool).resident == 1);
			_exit(0);
		}
		must_end_well(child);
		give_sign(&changed);
		assert_int_equal(pthread_join(thread, NULL), 0);
		vmsi_host.pread = real_pread;
		drop_signs(&changing);
		drop_signs(&changed);
		close_all(read_pool, fd);
	}
}

/* --- pages that were fixed ------------------------------------------------------------------------------ */

static void fixed_at_the_fork(void **state)
{
	const struct place *place = *state;

	for (unsigned flags = 0; flags <= VMS_POOL_ADDRESSED; flags++) {
		int fd = make_pages(place->path, FILE_PAGES);
		vms_pool *pool = must_open_snapshots(fd, flags, SNAPSHOT_BYTES);
		pid_t child;

		fill_page(must_fix(pool, 5, VMS_POOL_WRITE), 5, 1);
		(void)must_fix(pool, 6, VMS_POOL_READ);
		(void)must_fix(pool, 7, VMS_POOL_WRITE);
		child = fork();
		if (child == 0) {
			uint64_t ticket;
			const uint64_t pages[] = { 4, 7, 8 };
			void *found[3];

			child_needs(!vms_pool_fix(pool, 5, VMS_POOL_READ) && errno == EBUSY);
			child_needs(!vms_pool_try_fix(pool, 5, VMS_POOL_READ) &&
				    errno == EAGAIN);
			child_needs(!vms_pool_begin(pool, 5, &ticket) && errno == EBUSY);
			child_needs(vms_pool_fix_many(pool, pages, found, 3,
						      VMS_POOL_READ) == -1 &&
				    errno == EBUSY);
			child_needs(vms_pool_unfix(pool, 8) == -1 && errno == EINVAL);
			child_needs(vms_pool_unfix(pool, 6) == -1 && errno == EINVAL);
			child_needs(vms_pool_unfix(pool, 5) == 0);
			child_needs(child_has(pool, 5, 1));
			child_needs(vms_pool_downgrade(pool, 7) == 0);
			child_needs(vms_pool_unfix(pool, 7) == 0);
			child_needs(child_has(pool, 7, 0));
			_exit(0);
		}
		must_end_well(child);
		must_unfix(pool, 5);
		must_unfix(pool, 6);
		must_unfix(pool, 7);
		must_be(pool, 5, 1);
		close_all(pool, fd);
	}
}

/* --- what a child cannot do ------------------------------------------------------------------------------- */

static int grandchild_ends(vms_pool *pool, const char *bytes)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		child_needs(!vms_pool_fix(pool, 0, VMS_POOL_READ) && errno == EBADF);
		child_needs(vms_pool_pages(pool) == 0);
		(void)signal(SIGSEGV, SIG_DFL);
		_exit(*(const volatile char *)bytes & 1);
	}
	return child > 0 && waitpid(child, &status, 0) == child && WIFSIGNALED(status) &&
		WTERMSIG(status) == SIGSEGV;
}

static void only_to_read(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, FILE_PAGES);
	vms_pool *pool = must_open_snapshots(fd, VMS_POOL_NO_WRITER, SNAPSHOT_BYTES);
	pid_t child;

	change(pool, 1, 1, 0);
	child = fork();
	if (child == 0) {
		struct vms_pool_stats stats = { .struct_size = sizeof(stats) };
		uint64_t page = 0, ticket;
		const char *bytes;

		child_needs(!vms_pool_fix(pool, 0, VMS_POOL_WRITE) && errno == EACCES);
		child_needs(!vms_pool_allocate(pool, &page) && errno == EACCES);
		child_needs(vms_pool_free(pool, 0) == -1 && errno == EACCES);
		child_needs(vms_pool_grow(pool, 2 * FILE_PAGES) == -1 && errno == EACCES);
		bytes = vms_pool_begin(pool, 0, &ticket);
		child_needs(bytes);
		child_needs(!vms_pool_upgrade(pool, 0, ticket) && errno == EACCES);
		child_needs(vms_pool_prefetch(pool, &page, 1) == 0);
		child_needs(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL) == 0);
		child_needs(vms_pool_get_stats(pool, &stats) == 0);
		child_needs(stats.engine == VMS_POOL_THREADS && stats.used <= stats.ram);
		child_needs(!vms_pool_fix(pool, FILE_PAGES, VMS_POOL_READ) &&
			    errno == ERANGE);
		child_needs(vms_pool_set_ram(pool, SMALL_RAM - (64 << 10)) == 0);
		child_needs(grandchild_ends(pool, bytes));
		child_needs(vms_pool_close(pool) == 0);
		_exit(0);
	}
	must_end_well(child);
	/* The child's flush has written nothing. */
	assert_int_equal(state_in_file(place->path, 1), 0);
	close_all(pool, fd);
}

/* --- room for it ------------------------------------------------------------------------------------------- */

/* A small pool's tables are small, where nobody says how much is to be saved. */
static void as_much_as_the_ram_allows(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, FILE_PAGES);
	vms_pool *pool = must_open_snapshots(fd, 0, 0);
	pid_t child = fork();

	if (child == 0) {
		for (uint64_t page = 0; page < FILE_PAGES; page++)
			child_needs(child_has(pool, page, 0));
		_exit(0);
	}
	must_end_well(child);
	close_all(pool, fd);
}

/* --- huge pages -------------------------------------------------------------------------------------------- */

static long (*real_madvise)(uintptr_t address, size_t length, int advice);
static unsigned huge;

static long counting_madvise(uintptr_t address, size_t length, int advice)
{
	huge += advice == MADV_HUGEPAGE;
	return real_madvise(address, length, advice);
}

/* How often huge pages are asked for, also when there is more room again. */
static unsigned huge_pages_of(vms_pool *pool)
{
	for (uint64_t page = 0; page < FILE_PAGES; page++)
		must_be(pool, page, 0);
	worked(vms_pool_set_ram(pool, SMALL_RAM * 3 / 4));
	worked(vms_pool_set_ram(pool, SMALL_RAM));
	for (uint64_t page = 0; page < FILE_PAGES; page++)
		must_be(pool, page, 0);
	return huge;
}

/* The kernel may copy parts of them at once where others store: no child has a state of it. */
static void no_huge_pages(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, FILE_PAGES);
	vms_pool *pool;

	real_madvise = vmsi_host.madvise;
	vmsi_host.madvise = counting_madvise;
	huge = 0;
	pool = must_open_snapshots(fd, 0, SNAPSHOT_BYTES);
	assert_int_equal(huge_pages_of(pool), 0);
	worked(vms_pool_close(pool));
	pool = must_open_pool(fd, 0, SMALL_RAM, 0);
	assert_true(huge_pages_of(pool) >= 2);
	vmsi_host.madvise = real_madvise;
	close_all(pool, fd);
}

/* --- several ------------------------------------------------------------------------------------------------ */

static void several_at_once(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, FILE_PAGES);
	vms_pool *pool = must_open_snapshots(fd, 0, SNAPSHOT_BYTES);
	const size_t used = pool_stats(pool).used;
	struct signs signs = make_signs();
	pid_t children[5];

	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < 5; i++) {
			change_and_flush(pool, i);
			children[i] = fork();
			if (children[i])
				continue;
			if (i == 4) {
				child_needs(!vms_pool_fix(pool, 0, VMS_POOL_READ) &&
					    errno == EAGAIN);
				_exit(0);
			}
			child_needs(child_awaits(&signs));
			for (uint64_t page = 0; page < FILE_PAGES; page++)
				child_needs(child_has(pool, page, i));
			_exit(0);
		}
		must_end_well(children[4]);
		change_and_flush(pool, 5);
		assert_int_equal(pool_stats(pool).snapshots, 4);
		assert_true(pool_stats(pool).pages_saved >= 4 * FILE_PAGES);
		for (unsigned i = 0; i < 4; i++)
			give_sign(&signs);
		for (unsigned i = 0; i < 4; i++)
			must_end_well(children[i]);
	}
	change_and_flush(pool, 6);
	assert_int_equal(pool_stats(pool).snapshots, 0);
	assert_true(pool_stats(pool).used <= used + FILE_PAGES * PAGE);
	assert_true(pool_stats(pool).used <= pool_stats(pool).ram);
	drop_signs(&signs);
	close_all(pool, fd);
}

/* --- threads beside the fork ---------------------------------------------------------------------------------------- */

static atomic_bool is_over;

static void *change_on(void *argument)
{
	vms_pool *pool = argument;
	unsigned state = 0;

	for (uint64_t i = 0; !atomic_load(&is_over); i++) {
		const uint64_t page = i * 137 % FILE_PAGES;
		char *bytes = vms_pool_fix(pool, page, VMS_POOL_WRITE);

		if (!bytes)
			continue;
		fill_page(bytes, page, ++state % 90);
		(void)vms_pool_unfix(pool, page);
	}
	return NULL;
}

static void *flush_on(void *argument)
{
	while (!atomic_load(&is_over))
		(void)vms_pool_flush(argument, VMS_POOL_ALL, NULL, NULL);
	return NULL;
}

/* Whole, or being changed at the fork; and the same each time. */
static void child_sees_something(vms_pool *pool)
{
	int states[FILE_PAGES];
	int busy = 0;

	for (int round = 0; round < 3; round++)
		for (uint64_t page = 0; page < FILE_PAGES; page++) {
			const char *bytes = vms_pool_fix(pool, page, VMS_POOL_READ);
			int found = -1;

			child_needs(bytes || errno == EBUSY);
			for (int i = 0; bytes && found < 0 && i < 90; i++)
				if (page_is(bytes, page, (unsigned)i))
					found = i;
			child_needs(!bytes || found >= 0);
			child_needs(round == 0 || states[page] == found);
			states[page] = found;
			busy += !bytes;
			child_needs(!bytes || vms_pool_unfix(pool, page) == 0);
		}
	/* At most the two that change pages were in the midst of it. */
	child_needs(busy <= 3 * 2);
}

static void threads_beside(void **state)
{
	const struct place *place = *state;

	for (unsigned flags = 0; flags <= VMS_POOL_ADDRESSED; flags++) {
		int fd = make_pages(place->path, FILE_PAGES);
		vms_pool *pool = must_open_snapshots(fd, flags, SNAPSHOT_BYTES);
		pthread_t threads[3];

		atomic_store(&is_over, false);
		assert_int_equal(pthread_create(&threads[0], NULL, change_on, pool), 0);
		assert_int_equal(pthread_create(&threads[1], NULL, change_on, pool), 0);
		assert_int_equal(pthread_create(&threads[2], NULL, flush_on, pool), 0);
		for (int i = 0; i < 12; i++) {
			pid_t child = fork();

			if (child == 0) {
				child_sees_something(pool);
				_exit(0);
			}
			must_end_well(child);
		}
		atomic_store(&is_over, true);
		for (int i = 0; i < 3; i++)
			assert_int_equal(pthread_join(threads[i], NULL), 0);
		close_all(pool, fd);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		file_test(as_it_was),
		file_test(written_while_it_reads),
		file_test(read_by_another_thread),
		file_test(fixed_at_the_fork),
		file_test(only_to_read),
		file_test(as_much_as_the_ram_allows),
		file_test(no_huge_pages),
		file_test(several_at_once),
		file_test(threads_beside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
