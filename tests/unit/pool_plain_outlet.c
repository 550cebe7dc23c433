/* SPDX-License-Identifier: MIT */
#include "plain_fixture.h"
#include "pool_memory_fixture.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "no_ring.h"
#include "pool/pool.h"
#include "pool/write/writer.h"

/* Dirty pages of memory leave by a pipe (plain/outlet.h), with a host that stands in the way. */

static struct vmsi_host_calls real;

/* Pages that are stored to: twice those that there is room for. */
#define SOME 1500u

/* --- a pool ---------------------------------------------------------------------------------- */

/* Nobody but who needs room puts pages aside: there is no thread for that. */
static vms_pool *must_open_by(const struct engine *engine, size_t swap_bytes)
{
	struct vms_pool_options options = memory_options(".");
	vms_pool *pool;

	options.flags |= engine->flags;
	options.swap_bytes = swap_bytes;
	pool = open_by(engine, -1, &options);
	assert_non_null(pool);
	vmsi_writer_end(pool);
	worked(vms_pool_grow(pool, MANY));
	return pool;
}

static char *at(vms_pool *pool, uint64_t page)
{
	return (char *)vms_pool_base(pool) + page * PAGE;
}

/* A word of a page that is stored to while it leaves. */
#define STORED UINT64_C(0x5a5a1234a5a54321)

static char *first_page;
static bool was_stored_to[SOME];

static void store_to(char *page)
{
	const uint64_t word = STORED;

	memcpy(page, &word, sizeof(word));
	was_stored_to[(page - first_page) / PAGE] = true;
}

static void store_all(vms_pool *pool, uint64_t count)
{
	first_page = at(pool, 0);
	memset(was_stored_to, 0, sizeof(was_stored_to));
	for (uint64_t i = 0; i < count; i++)
		fill_noise(at(pool, i), i, 1);
}

/* Returns how many were stored to while they left. */
static unsigned must_have_all(vms_pool *pool, uint64_t pages)
{
	unsigned count = 0;

	for (uint64_t i = 0; i < pages; i++) {
		const uint64_t word = STORED;
		char expected[PAGE];

		fill_noise(expected, i, 1);
		if (was_stored_to[i])
			memcpy(expected, &word, sizeof(word));
		assert_memory_equal(at(pool, i), expected, PAGE);
		count += was_stored_to[i];
	}
	assert_true(pool_stats(pool).used <= pool_stats(pool).ram);
	return count;
}

/* --- stores beside ------------------------------------------------------------------------------ */

static unsigned splices;

static long storing_before(int fd, const struct iovec *parts, int count)
{
	splices++;
	store_to(parts[count - 1].iov_base);
	return real.splice_memory(fd, parts, count);
}

static long storing_after(int fd, const struct iovec *parts, int count)
{
	const long result = real.splice_memory(fd, parts, count);

	splices++;
	store_to(parts[0].iov_base);
	return result;
}

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

/* --- a host that refuses ---------------------------------------------------------------------------- */

static long no_pipe(int *pipe_ends)
{
	(void)pipe_ends;
	return -EMFILE;
}

/* Of a user that has many pipes: -EPERM, or room for a page or two. */
static long pipe_bytes;

static long small_pipe(int fd, size_t bytes)
{
	(void)fd;
	(void)bytes;
	return pipe_bytes;
}

/* A filter of system calls, which may come late. */
static unsigned splices_allowed;

static long filtered_splice(int fd, const struct iovec *parts, int count)
{
	return splices++ < splices_allowed ? real.splice_memory(fd, parts, count) : -EPERM;
}

static long copying_splice(int fd, const struct iovec *parts, int count)
{
	return (long)writev(fd, parts, count);
}

static long no_faults_told(void)
{
	return -ENOSYS;
}

static long no_protection(uintptr_t start, size_t length, int rights)
{
	return rights == PROT_READ ? -EACCES : real.mprotect(start, length, rights);
}

static long no_unmerging(uintptr_t start, size_t length, int advice)
{
	return advice == MADV_UNMERGEABLE ? -ENOMEM : real.madvise(start, length, advice);
}

static void must_work_without_outlet(const char *what)
{
	vms_pool *pool = must_open_by(&engines[0], 0);

	vmsi_host = real;
	if (vmsi_outlet_is_open(&pool->outlet))
		fail_msg("there is an outlet though the host has no %s", what);
	assert_true(pool->outlet.to_read < 0 && pool->outlet.to_write < 0);
	vmsi_host.splice_memory = storing_after;
	store_all(pool, SOME);
	vmsi_host = real;
	assert_int_equal(must_have_all(pool, SOME), 0);
	assert_true(pool_stats(pool).pages_aside > 300);
	worked(vms_pool_close(pool));
}

/* There is no outlet, and pages leave one by one. */
static void without_a_pipe_pages_leave_as_well(void **state)
{
	(void)state;
	if (!engine_is_here(&engines[0]))
		return;
	vmsi_host.pipe = no_pipe;
	must_work_without_outlet("pipe");
	vmsi_host.size_pipe = small_pipe;
	pipe_bytes = -EPERM;
	must_work_without_outlet("larger pipe");
	vmsi_host.size_pipe = small_pipe;
	pipe_bytes = 0;
	must_work_without_outlet("pages in a pipe");
	splices = splices_allowed = 0;
	vmsi_host.splice_memory = filtered_splice;
	must_work_without_outlet("vmsplice");
	vmsi_host.splice_memory = copying_splice;
	must_work_without_outlet("live pipe");
	vmsi_host.thread_faults = no_faults_told;
	must_work_without_outlet("count of faults");
	vmsi_host.mprotect = no_protection;
	must_work_without_outlet("protection");
	vmsi_host.madvise = no_unmerging;
	must_work_without_outlet("unmerged memory");
}

static long refusing_splice(int fd, const struct iovec *parts, int count)
{
	return splices++ % 3 == 2 ? real.splice_memory(fd, parts, count > 5 ? 5 : count) :
		splices % 2 ? -EAGAIN : -ENOMEM;
}

/* The pages have got other frames than those that are put into the pipe. */
static long stale_splice(int fd, const struct iovec *parts, int count)
{
	static char before[PAGE];

	splices++;
	for (int i = 0; i < count; i++) {
		const struct iovec part = { before, PAGE };

		assert_int_equal(parts[i].iov_len, PAGE);
		if (real.splice_memory(fd, &part, 1) != PAGE)
			return i * (long)PAGE;
	}
	return count * (long)PAGE;
}

/* That was by a fault. */
static long faults_always(void)
{
	static long faults;

	return faults++;
}

static void what_is_refused_later_leaves_one_by_one(void **state)
{
	(void)state;
	if (!engine_is_here(&engines[0]))
		return;
	for (unsigned way = 0; way < 3; way++) {
		vms_pool *pool = must_open_by(&engines[0], 0);

		assert_true(vmsi_outlet_is_open(&pool->outlet));
		splices = 0;
		if (way == 0) {
			vmsi_host.splice_memory = refusing_splice;
		} else if (way == 1) {
			splices_allowed = 4;
			vmsi_host.splice_memory = filtered_splice;
		} else {
			vmsi_host.splice_memory = stale_splice;
			vmsi_host.thread_faults = faults_always;
		}
		store_all(pool, SOME);
		vmsi_host = real;
		assert_true(splices > 3);
		assert_int_equal(must_have_all(pool, SOME), 0);
		assert_true(vmsi_outlet_is_open(&pool->outlet) == (way != 1));
		assert_int_equal(pool_stats(pool).write_errors, 0);
		worked(vms_pool_close(pool));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		file_test(what_is_stored_while_a_page_leaves_is_kept),
		file_test(a_pipe_that_is_slow_to_be_read_is_read),
		file_test(what_has_gone_and_has_no_place_is_brought_back),
		file_test(what_a_child_has_too_is_kept),
		file_test(a_fork_with_pages_in_the_pipe_is_nobodys_loss),
		file_test(without_a_pipe_pages_leave_as_well),
		file_test(what_is_refused_later_leaves_one_by_one),
	};

	catch_signals();
	vmsi_uring.open = no_ring;
	real = vmsi_host;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
