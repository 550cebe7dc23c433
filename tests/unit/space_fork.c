/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "space_fixture.h"

/* A child has a working copy of a space, by whichever call it was made. */

enum how { BY_FORK, BY_RAW_CLONE, HOWS };

static pid_t make_child(enum how how)
{
	if (how == BY_FORK)
		return fork();
	/* The raw call runs no fork handlers of libc. */
	return (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

#define CHECK(condition) \
	do { \
		if (!(condition)) \
			return __LINE__; \
	} while (0)

/* Run a function in children made in each way; it returns the line that fails. */
static void expect_in_children(int (*holds)(void))
{
	for (enum how how = BY_FORK; how < HOWS; how++) {
		int status = 0;
		pid_t child = make_child(how);

		assert_true(child >= 0);
		if (child == 0) {
			int line = holds();

			/* An exit status has only eight bits, and 0 is success. */
			_exit(line == 0 ? 0 : line % 255 + 1);
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		if (status != 0)
			fail_msg("%s: status %#x (line %% 255 + 1, in the high byte)",
				 how == BY_FORK ? "fork" : "clone", status);
	}
}

/* Return whether a write would fault: read(2) into the page answers EFAULT. */
static bool is_writable(const char *address)
{
	int ends[2];
	bool writable;

	if (pipe(ends) || write(ends[1], "x", 1) != 1)
		return false;
	writable = read(ends[0], (void *)(uintptr_t)address, 1) == 1;
	close(ends[0]);
	close(ends[1]);
	return writable;
}

static int use_own_copy(void)
{
	CHECK(at(16)[0] == 5);
	at(16)[0] = 6;
	CHECK(stats_now().committed == bytes(4));
	CHECK(vms_munmap(space, at(17), bytes(2)) == 0);
	CHECK(vms_mmap(space, at(100), bytes(8), RW, ANONYMOUS | MAP_FIXED, -1,
		       0) == at(100));
	CHECK(stats_now().committed == bytes(10));
	CHECK(!vmsi_space_check(space));
	return 0;
}

static void a_child_has_its_own_copy(void **state)
{
	(void)state;
	map_pages(16, 4)[0] = 5;
	expect_in_children(use_own_copy);
	assert_int_equal(at(16)[0], 5);
	assert_int_equal(stats_now().committed, bytes(4));
	assert_int_equal(stats_now().mappings, 1);
}

/* --- MADV_DONTFORK, MADV_WIPEONFORK, locks -------------------------------------------- */

static int lack_what_is_not_forked(void)
{
	struct vms_mapping_info info;
	unsigned char vector[1];

	CHECK(listed_from(16, &info) && info.start == (uintptr_t)at(20));
	CHECK(stats_now().mapped == bytes(4));
	CHECK(stats_now().committed == bytes(4));
	CHECK(stats_now().lost == 0);
	/* The child has a hole there, which the reservation covers. */
	CHECK(mincore(at(16), bytes(1), vector) == 0);
	CHECK(!is_writable(at(16)));
	CHECK(mmap(at(16), bytes(1), RW, ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
		   0) == MAP_FAILED);
	CHECK(vms_mmap(space, at(14), bytes(4), RW,
		       ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == at(14));
	CHECK(at(16)[0] == 0);
	CHECK(!vmsi_space_check(space));
	return 0;
}

static void what_is_not_forked_is_a_hole_in_the_child(void **state)
{
	(void)state;
	memset(map_pages(16, 8), 5, bytes(8));
	assert_int_equal(vms_madvise(space, at(16), bytes(4), MADV_DONTFORK),
			 0);
	expect_in_children(lack_what_is_not_forked);
	assert_int_equal(at(16)[0], 5);
	assert_int_equal(stats_now().mapped, bytes(8));
}

/* Before the child's first call on the space, nothing may take its addresses. */
static int hold_before_first_call(void)
{
	unsigned char vector[1];

	CHECK(mincore(at(16), bytes(1), vector) == 0);
	return 0;
}

static void holes_are_held_before_the_child_s_code_runs(void **state)
{
	int status = 0;
	pid_t child;

	(void)state;
	map_pages(16, 8);
	vms_madvise(space, at(16), bytes(4), MADV_DONTFORK);
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		_exit(hold_before_first_call() ? 1 : 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static int find_wiped(void)
{
	CHECK(at(16)[0] == 0 && at(19)[0] == 0);
	CHECK(at(20)[0] == 5);
	CHECK(listed_at(16)->flags & VMS_MAPPING_WIPEONFORK);
	CHECK(stats_now().committed == bytes(8));
	return 0;
}

static void what_is_wiped_is_zero_in_the_child(void **state)
{
	(void)state;
	memset(map_pages(16, 8), 5, bytes(8));
	assert_int_equal(vms_madvise(space, at(16), bytes(4), MADV_WIPEONFORK),
			 0);
	expect_in_children(find_wiped);
}

static int find_unlocked(void)
{
	CHECK(!(listed_at(16)->flags & VMS_MAPPING_LOCKED));
	CHECK(listed_at(16)->length == bytes(8));
	CHECK(vms_madvise(space, at(16), bytes(2), MADV_DONTNEED) == 0);
	return 0;
}

static void nothing_is_locked_in_the_child(void **state)
{
	(void)state;
	map_pages(16, 8);
	if (vms_mlock(space, at(16), bytes(4))) {
		print_message("# no right to lock\n");
		skip();
	}
	expect_in_children(find_unlocked);
	assert_true(listed_at(16)->flags & VMS_MAPPING_LOCKED);
}

static int use_handle(vms_handle handle)
{
	CHECK(vms_handle_address(space, handle) == at(16));
	CHECK(vms_mremap(space, at(16), bytes(4), bytes(4),
			 MREMAP_MAYMOVE | MREMAP_FIXED, at(64)) == at(64));
	CHECK(vms_handle_address(space, handle) == at(64));
	return 0;
}

static vms_handle forked_handle;

static int use_forked_handle(void)
{
	return use_handle(forked_handle);
}

static void handles_are_copied(void **state)
{
	(void)state;
	map_pages(16, 4);
	assert_int_equal(vms_handle_open(space, at(16), bytes(4),
					 &forked_handle), 0);
	expect_in_children(use_forked_handle);
	assert_ptr_equal(vms_handle_address(space, forked_handle), at(16));
}

static int fork_again(void)
{
	int status = 0;
	pid_t child;

	CHECK(vms_madvise(space, at(20), bytes(4), MADV_DONTFORK) == 0);
	child = fork();
	if (child == 0)
		_exit(stats_now().mapped == bytes(4) &&
		      !vmsi_space_check(space) ? 0 : 1);
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	CHECK(stats_now().mapped == bytes(8));
	return 0;
}

static void a_grandchild_has_its_own_too(void **state)
{
	(void)state;
	map_pages(16, 12);
	vms_madvise(space, at(16), bytes(4), MADV_DONTFORK);
	expect_in_children(fork_again);
}

static int close_copy(void)
{
	CHECK(vms_space_close(space) == 0);
	return 0;
}

static void a_child_can_close_its_copy(void **state)
{
	(void)state;
	map_pages(16, 4)[0] = 3;
	expect_in_children(close_copy);
	assert_int_equal(at(16)[0], 3);
}

/* --- vfork ---------------------------------------------------------------------------- */

/* posix_spawn makes its child as vfork does, in the parent's memory. */
static void a_vfork_child_leaves_the_space_alone(void **state)
{
	char name[] = "true";
	char *arguments[] = { name, NULL };
	char *environment[] = { NULL };
	int status = 0;
	pid_t child;

	(void)state;
	memset(map_pages(16, 4), 8, bytes(4));
	vms_madvise(space, at(16), bytes(4), MADV_DONTFORK);
	assert_int_equal(posix_spawnp(&child, name, NULL, NULL, arguments,
				      environment), 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(stats_now().mapped, bytes(4));
	assert_int_equal(stats_now().lost, 0);
	assert_int_equal(at(16)[0], 8);
}

/* --- threads -------------------------------------------------------------------------- */

static atomic_bool stop;

static void *keep_busy(void *argument)
{
	(void)argument;
	while (!atomic_load(&stop)) {
		char *memory = vms_mmap(space, NULL, bytes(4), RW, ANONYMOUS,
					-1, 0);

		if (memory != MAP_FAILED)
			vms_munmap(space, memory, bytes(4));
	}
	return NULL;
}

static int find_lock_free(void)
{
	CHECK(vms_space_of(at(1)) == space);
	CHECK(!vmsi_space_check(space));
	CHECK(vms_mmap(space, at(4000), bytes(1), RW, ANONYMOUS | MAP_FIXED, -1,
		       0) == at(4000));
	return 0;
}

/* Another thread may hold the space's lock when this one forks. */
static void a_child_never_finds_a_lock_taken(void **state)
{
	pthread_t threads[2];

	(void)state;
	atomic_store(&stop, false);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, keep_busy,
						NULL), 0);
	for (int i = 0; i < 100; i++) {
		int status = 0;
		pid_t child = fork();

		assert_true(child >= 0);
		if (child == 0) {
			alarm(3600);
			_exit(find_lock_free() ? 1 : 0);
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_int_equal(status, 0);
	}
	atomic_store(&stop, true);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SPACE(a_child_has_its_own_copy),
		WITH_SPACE(what_is_not_forked_is_a_hole_in_the_child),
		WITH_SPACE(holes_are_held_before_the_child_s_code_runs),
		WITH_SPACE(what_is_wiped_is_zero_in_the_child),
		WITH_SPACE(nothing_is_locked_in_the_child),
		WITH_SPACE(handles_are_copied),
		WITH_SPACE(a_grandchild_has_its_own_too),
		WITH_SPACE(a_child_can_close_its_copy),
		WITH_SPACE(a_vfork_child_leaves_the_space_alone),
		WITH_SPACE(a_child_never_finds_a_lock_taken),
	};

	return cmocka_run_group_tests_name("space_fork", tests, NULL, NULL);
}
