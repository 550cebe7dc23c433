/* SPDX-License-Identifier: MIT */
#include "outlet_fixture.h"

#include <errno.h>
#include <sys/uio.h>

/* Dirty pages of memory leave as well where there is no pipe for them, or none any more. */

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

static long merged_later, swapped_later; /* from this look on; 0: never */
static long looks;

static long merging(void)
{
	return merged_later && looks >= merged_later;
}

static long swapping(size_t *bytes)
{
	looks++;
	*bytes = swapped_later && looks >= swapped_later ? 4096 : 0;
	return 0;
}

/* The first look is when the pool is opened. */
static void look_from(long merged, long swapped)
{
	looks = 0;
	merged_later = merged;
	swapped_later = swapped;
	vmsi_host.merges_memory = merging;
	vmsi_host.swap_size = swapping;
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
	look_from(1, 0);
	must_work_without_outlet("memory that is never merged");
	look_from(0, 1);
	must_work_without_outlet("memory that is never swapped out");
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

static long stale_after_two(int fd, const struct iovec *parts, int count)
{
	if (splices >= 2)
		return stale_splice(fd, parts, count);
	splices++;
	return real.splice_memory(fd, parts, count);
}

/* That was by a fault. */
static long faults_always(void)
{
	static long faults;

	return faults++;
}

/* What has just been put into the pipe may have been of other frames. */
static void frames_that_are_not_kept_do_not_go_by_it(void **state)
{
	(void)state;
	if (!engine_is_here(&engines[0]))
		return;
	for (unsigned way = 0; way < 2; way++) {
		vms_pool *pool = must_open_by(&engines[0], 0);

		assert_true(vmsi_outlet_is_open(&pool->outlet));
		look_from(way == 0 ? 3 : 0, way == 1 ? 3 : 0);
		splices = 0;
		vmsi_host.splice_memory = stale_after_two;
		store_all(pool, SOME);
		vmsi_host = real;
		assert_int_equal(splices, 3);
		assert_int_equal(must_have_all(pool, SOME), 0);
		assert_false(vmsi_outlet_is_open(&pool->outlet));
		worked(vms_pool_close(pool));
	}
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
		file_test(without_a_pipe_pages_leave_as_well),
		file_test(frames_that_are_not_kept_do_not_go_by_it),
		file_test(what_is_refused_later_leaves_one_by_one),
	};

	return run_outlet_tests(tests, sizeof(tests) / sizeof(tests[0]));
}
