/* SPDX-License-Identifier: MIT */
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "space_fixture.h"

/*
 * mlockall(MCL_FUTURE) locks memory when it is mapped: a mapping at addresses that
 * were just unmapped must be locked if it was asked for.
 */

/* 0: the new mapping is locked; 1: it is not; 77: no right to lock. */
static int remap_under_mlockall(int which, unsigned flags)
{
	struct vms_space_options options = {
		.struct_size = sizeof(options),
		.flags = flags,
	};
	vms_space *locked = vms_space_open((size_t)1 << 30, &options);
	char *first, *second;

	if (!locked)
		return 2;
	first = vms_mmap(locked, NULL, bytes(16), RW, ANONYMOUS, -1, 0);
	if (first == MAP_FAILED || vms_munmap(locked, first, bytes(16)) < 0)
		return 3;
	/* Sanitizers replace libc's function by one that does nothing. */
	if (syscall(SYS_mlockall, which) < 0)
		return 77;
	second = vms_mmap(locked, NULL, bytes(16), RW, ANONYMOUS, -1, 0);
	if (second != first)
		return 4;
	return vmsi_host_is_locked((uintptr_t)second) == 1 ? 0 : 1;
}

static void expect_locked(int which, unsigned flags)
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0)
		_exit(remap_under_mlockall(which, flags));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77) {
		print_message("# no right to lock memory\n");
		return;
	}
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void mcl_future_locks_all_with_the_flag(void **state)
{
	(void)state;
	expect_locked(MCL_FUTURE, VMS_SPACE_MCL_FUTURE);
}

static void mcl_current_and_future_lock_all(void **state)
{
	(void)state;
	expect_locked(MCL_CURRENT | MCL_FUTURE, 0);
	expect_locked(MCL_CURRENT | MCL_FUTURE, VMS_SPACE_MCL_FUTURE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mcl_future_locks_all_with_the_flag),
		cmocka_unit_test(mcl_current_and_future_lock_all),
	};

	return cmocka_run_group_tests_name("space_lock_future", tests, NULL,
					   NULL);
}
