/* SPDX-License-Identifier: MIT */
#include <sys/mman.h>

#include "no_ring.h"
#include "plain_fixture.h"
#include "pool/pool.h"
#include "pool_area_fixture.h"
#include "pool_snapshot_fixture.h"

/* What forks leave that come while a pool is closed, and children that outlive it. */

/* --- the area ---------------------------------------------------------------------------------- */

/* It belongs to nobody when the pool's process has ended, whatever its children do. */
static void a_child_does_not_keep_the_area(void **state)
{
	const struct place *place = *state;
	const unsigned flags[] = { 0, VMS_POOL_READ_ONLY };

	for (unsigned i = 0; i < 2; i++) {
		int fd = make_pages(place->path, AREA_PAGES);
		struct signs begun = make_signs(), end = make_signs();
		vms_pool *pool = must_open_whole(place, fd);
		pid_t parent;

		worked(vms_pool_close(pool));
		parent = fork();
		if (parent == 0) {
			pool = open_whole(place, fd, flags[i]);
			if (fork() == 0) {
				give_sign(&begun);
				_exit(!child_awaits(&end));
			}
			await_sign(&begun);
			child_needs(pool != NULL);
			_exit(0);
		}
		must_end_well(parent);
		/* Nothing was pending. */
		pool = must_open_whole(place, fd);
		give_sign(&end);
		worked(vms_pool_close(pool));
		drop_signs(&begun);
		drop_signs(&end);
		assert_int_equal(close(fd), 0);
	}
}

/* --- a fork while a pool is closed -------------------------------------------------------------- */

static struct {
	struct vmsi_host_calls real;
	uintptr_t start;           /* of memory that has gone */
	size_t length;             /* or the length of such */
	int closing;               /* a descriptor */
	unsigned forks;
} host;

/*
 * The child ends in a handler, if it does something with what is not the pool's any more;
 * or it finds that what has come in its place is not there.
 */
static void fork_now(int (*is_there)(uintptr_t), uintptr_t what)
{
	pid_t child;

	host.forks++;
	child = fork();
	if (child == 0)
		_exit(!is_there(what));
	must_end_well(child);
}

static int is_mapped(uintptr_t start)
{
	return msync((void *)start, vmsi_page_size(), MS_ASYNC) == 0;
}

static int is_gone(uintptr_t start)
{
	return !is_mapped(start);
}

static int is_open(uintptr_t fd)
{
	return fcntl((int)fd, F_GETFD) >= 0;
}

static long unmap_and_fork(uintptr_t start, size_t length)
{
	const long result = host.real.munmap(start, length);

	if (start == host.start)
		fork_now(is_gone, start);
	return result;
}

static void begin_to_note(void)
{
	host.real = vmsi_host;
	host.forks = 0;
}

static void an_io_has_gone(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, FILE_PAGES);
	vms_pool *pool = must_open_pool(fd, 0, SMALL_RAM, 0);

	begin_to_note();
	host.start = (uintptr_t)pool->store.io;
	vmsi_host.munmap = unmap_and_fork;
	worked(vms_pool_close(pool));
	vmsi_host = host.real;
	assert_int_equal(host.forks, 1);
	assert_int_equal(close(fd), 0);
}

/* Somebody else opens something just then, and gets the number. */
static long close_and_fork(int fd)
{
	const long result = host.real.close(fd);

	if (fd == host.closing && host.forks == 0) {
		assert_int_equal(dup2(STDIN_FILENO, fd), fd);
		fork_now(is_open, (uintptr_t)fd);
		assert_int_equal(close(fd), 0);
	}
	return result;
}

static void close_plain(vms_pool *pool, int closing)
{
	begin_to_note();
	host.closing = closing;
	vmsi_host.close = close_and_fork;
	worked(vms_pool_close(pool));
	vmsi_host = host.real;
	assert_int_equal(host.forks, 1);
}

static void a_pager_has_gone(void **state)
{
	const struct place *place = *state;

	FOR_ENGINES(engine) {
		int fd = make_pages(place->path, FILE_PAGES);
		vms_pool *pool = must_open_plain(engine, fd, 0, SMALL_RAM);

		close_plain(pool, pool->pager.fd);
		if (engine->engine == VMS_POOL_FAULTS_SERVED) {
			pool = must_open_plain(engine, fd, 0, SMALL_RAM);
			close_plain(pool, pool->pager.bell);
		}
		assert_int_equal(close(fd), 0);
	}
}

/* --- a fork while a snapshot is closed ---------------------------------------------------------- */

/* What is mapped next lies there. */
static long replace_and_fork(uintptr_t start, size_t length)
{
	const long result = host.real.munmap(start, length);

	if (length == host.length) {
		child_needs(mmap((void *)start, length, PROT_READ,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
				 0) == (void *)start);
		fork_now(is_mapped, start);
	}
	return result;
}

static void close_snapshot(vms_pool *pool)
{
	child_needs(child_has(pool, 1, 0));
	begin_to_note();
	host.length = pool->snapshots.table_bytes;
	vmsi_host.munmap = replace_and_fork;
	child_needs(vms_pool_close(pool) == 0);
	/* The table that it shares with its parent, and its own. */
	_exit(host.forks != 2);
}

static void a_snapshot_has_gone(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, FILE_PAGES);
	vms_pool *pool = must_open_snapshots(fd, 0, SNAPSHOT_BYTES);
	pid_t child = fork();

	if (child == 0)
		close_snapshot(pool);
	must_end_well(child);
	close_all(pool, fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_child_does_not_keep_the_area, make_place,
						drop_area),
		file_test(an_io_has_gone),
		file_test(a_pager_has_gone),
		file_test(a_snapshot_has_gone),
	};

	catch_signals();
	vmsi_uring.open = no_ring;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
