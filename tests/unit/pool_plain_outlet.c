/* SPDX-License-Identifier: MIT */
#include "outlet_fixture.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <sys/wait.h>

/* Dirty pages of memory leave by a pipe (plain/outlet.h), with a host that stands in the way. */

static void what_is_stored_while_a_page_leaves_is_kept(void **state)
{
	long (*const ways[])(int, const struct iovec *, int) = { storing_before,
								 storing_after };

	(void)state;
	FOR_ENGINES(engine)
		for (unsigned way = 0; way < 2; way++) {
			vms_pool *pool = must_open_by(engine, 0);

			assert_true(vmsi_outlet_is_open(&pool->outlet) || !engine->has_userfaultfd);
			splices = 0;
			vmsi_host.splice_memory = ways[way];
			store_all(pool, SOME);
			vmsi_host = real;
			assert_true((splices > 5) == engine->has_userfaultfd);
			assert_true((must_have_all(pool, SOME) > 5) == engine->has_userfaultfd);
			worked(vms_pool_close(pool));
		}
}

/* The kernel has interrupted it, or is out of something. */
static _Atomic unsigned refusals;

static long refused_read(int fd, void *buffer, size_t length)
{
	const unsigned count = atomic_fetch_add(&refusals, 1) % 4;

	if (count < 3)
		return count % 2 ? -EINTR : -EIO;
	return real.read(fd, buffer, length < 3000 ? length : 3000);
}

static void a_pipe_that_is_slow_to_be_read_is_read(void **state)
{
	vms_pool *pool;

	(void)state;
	if (!engine_is_here(&engines[0]))
		return;
	pool = must_open_by(&engines[0], 0);
	atomic_store(&refusals, 0);
	vmsi_host.read = refused_read;
	vmsi_host.splice_memory = storing_after;
	store_all(pool, SOME);
	vmsi_host = real;
	assert_true(atomic_load(&refusals) > 50);
	assert_true(must_have_all(pool, SOME) > 5);
	worked(vms_pool_close(pool));
}

/* --- what cannot go after all ------------------------------------------------------------------- */

static unsigned copies_refused;
static bool is_full;
static vms_pool *full_pool;

/*
 * Pages that there are not yet; the store may make room once more after it was full. Returns
 * whether it is full at last.
 */
static bool fill_store(void)
{
	unsigned refused = 0;
	char bytes[PAGE];

	for (uint64_t page = MANY; refused < 20 && page < 2 * MANY; page++) {
		int error;

		fill_noise(bytes, page, 1);
		if (vmsi_aside_put(&full_pool->store.aside, &page, bytes, NULL, 1, &error) == 1)
			refused = 0;
		else
			refused += error == -ENOSPC;
	}
	return refused == 20;
}

/* The host is out of memory at first. */
static long refused_copies(int fd, unsigned long request, void *argument)
{
	if (copies_refused < 3) {
		copies_refused++;
		return -ENOMEM;
	}
	vmsi_host.userfaultfd_control = real.userfaultfd_control;
	for (uint64_t page = MANY; page < 2 * MANY; page++)
		vmsi_aside_drop(&full_pool->store.aside, page);
	return real.userfaultfd_control(fd, request, argument);
}

/* Those of filling_splice are not the pool's. */
static long no_faults(void)
{
	return 0;
}

/* A page is stored to, so that it has to be put once more, and there is no room for that. */
static long filling_splice(int fd, const struct iovec *parts, int count)
{
	const long result = real.splice_memory(fd, parts, count);

	if (splices++ != 3)
		return result;
	store_to(parts[0].iov_base);
	is_full = fill_store();
	vmsi_host.userfaultfd_control = refused_copies;
	return result;
}

static void what_has_gone_and_has_no_place_is_brought_back(void **state)
{
	(void)state;
	FOR_ENGINES(engine) {
		vms_pool *pool;

		if (!engine->has_userfaultfd)
			continue;
		pool = must_open_by(engine, 8 << 20);
		full_pool = pool;
		splices = copies_refused = 0;
		vmsi_host.splice_memory = filling_splice;
		vmsi_host.thread_faults = no_faults;
		store_all(pool, 900);
		vmsi_host.splice_memory = real.splice_memory;
		assert_true(splices > 3);
		assert_true(is_full);
		assert_int_equal(copies_refused, 3);
		assert_int_equal(must_have_all(pool, 900), 1);
		vmsi_host = real;
		worked(vms_pool_close(pool));
	}
}

/* --- frames that are not a page's alone ----------------------------------------------------------- */

static char *in_pipe;

static long noting_splice(int fd, const struct iovec *parts, int count)
{
	in_pipe = parts[0].iov_base;
	return real.splice_memory(fd, parts, count);
}

/* A page is stored to between the pipe and the end of its memory. */
static long storing_drop(const struct iovec *ranges, int count, int advice)
{
	if (in_pipe)
		store_to(in_pipe);
	in_pipe = NULL;
	return real.madvise_many(ranges, count, advice);
}

/*
 * The program lets a child have the memory, whose pages get frames of their own at the next
 * store, and not those that are in the pipe.
 */
static void what_a_child_has_too_is_kept(void **state)
{
	(void)state;
	FOR_ENGINES(engine) {
		vms_pool *pool = must_open_by(engine, 0);
		pid_t child;

		store_all(pool, 600);
		worked(madvise(at(pool, 0), MANY * PAGE, MADV_DOFORK));
		child = fork();
		assert_true(child >= 0);
		while (child == 0)
			pause();
		in_pipe = NULL;
		vmsi_host.splice_memory = noting_splice;
		vmsi_host.madvise_many = storing_drop;
		for (uint64_t i = 600; i < SOME; i++)
			fill_noise(at(pool, i), i, 1);
		vmsi_host = real;
		(void)must_have_all(pool, SOME);
		worked(kill(child, SIGKILL));
		assert_int_equal(waitpid(child, NULL, 0), child);
		worked(vms_pool_close(pool));
	}
}

/* --- forks ----------------------------------------------------------------------------------------- */

static int ends[2];
static unsigned children;

static bool is_closed(int fd)
{
	return fcntl(fd, F_GETFD) < 0 && errno == EBADF;
}

/* The child has no pool, and neither end of the pipe that the pages of its parent are in. */
static long forking_splice(int fd, const struct iovec *parts, int count)
{
	const long result = real.splice_memory(fd, parts, count);
	pid_t child;
	int status;

	if (splices++ % 8)
		return result;
	child = fork();
	if (child == 0)
		_exit(is_closed(ends[0]) && is_closed(ends[1]) ? 0 : 1);
	store_to(parts[0].iov_base);
	children += child > 0 && waitpid(child, &status, 0) == child && status == 0;
	return result;
}

static void a_fork_with_pages_in_the_pipe_is_nobodys_loss(void **state)
{
	vms_pool *pool;

	(void)state;
	if (!engine_is_here(&engines[0]))
		return;
	pool = must_open_by(&engines[0], 0);
	ends[0] = pool->outlet.to_read;
	ends[1] = pool->outlet.to_write;
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(fcntl(ends[i], F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	splices = children = 0;
	vmsi_host.splice_memory = forking_splice;
	store_all(pool, SOME);
	vmsi_host = real;
	assert_true(children > 2);
	assert_int_equal(children, (splices + 7) / 8);
	assert_int_equal(must_have_all(pool, SOME), children);
	worked(vms_pool_close(pool));
	assert_true(is_closed(ends[0]) && is_closed(ends[1]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		file_test(what_is_stored_while_a_page_leaves_is_kept),
		file_test(a_pipe_that_is_slow_to_be_read_is_read),
		file_test(what_has_gone_and_has_no_place_is_brought_back),
		file_test(what_a_child_has_too_is_kept),
		file_test(a_fork_with_pages_in_the_pipe_is_nobodys_loss),
	};

	return run_outlet_tests(tests, sizeof(tests) / sizeof(tests[0]));
}
