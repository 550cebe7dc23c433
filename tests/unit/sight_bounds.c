/* SPDX-License-Identifier: MIT */
/*
 * What bounds the commit of a process: the machine that a file tells of, and budgets that a
 * process has open. Groups are of running supervisors, and are not in this build.
 */
#include "made_proc.h"

#include <vmspace/budget.h>

#include "cli/sight/bounds.h"

#define PID 60
#define GIB UINT64_C(0x40000000)
#define MEMINFO "MemTotal: 8388608 kB\nMemFree: 1048576 kB\n"
#define COMMIT "CommitLimit: 4194304 kB\nCommitted_AS: 3145728 kB\n"

static struct vmsi_bounds bounds;

static int begin(void **state)
{
	char fds[sizeof(real_proc) + 16];

	begin_proc(state);
	if (!real_proc[0])
		return 0;
	/* A process whose descriptors are this one's. */
	snprintf(fds, sizeof(fds), "%s/self/fd", real_proc);
	put_file("", "/proc/%d/comm", PID);
	return symlink(fds, "/proc/60/fd");
}

/* The bounds of a process on a machine that tells this. */
static void read_bounds(const char *meminfo, const char *mode, pid_t pid)
{
	struct vmsi_bound_sources *sources;

	put_file(meminfo, "/proc/meminfo");
	put_file(mode, "/proc/sys/vm/overcommit_memory");
	sources = vmsi_bound_sources_read();
	assert_non_null(sources);
	vmsi_bounds_free(&bounds);
	assert_int_equal(vmsi_bounds_read(&bounds, sources, pid), 0);
	vmsi_bound_sources_free(sources);
}

static int forget(void **state)
{
	(void)state;
	vmsi_bounds_free(&bounds);
	return 0;
}

static void expect_machine(size_t number, uint64_t limit, bool is_held)
{
	const struct vmsi_bound *bound = &bounds.list[number];

	assert_int_equal(bounds.count, number + 1);
	assert_int_equal(bound->kind, VMSI_BOUND_MACHINE);
	assert_int_equal(bound->committed, 3 * GIB);
	assert_int_equal(bound->limit, limit);
	assert_int_equal(bound->is_held, is_held);
}

static void the_limit_holds_in_mode_2_alone(void **state)
{
	(void)state;
	need_proc();
	read_bounds(MEMINFO COMMIT, "2\n", 4711);
	expect_machine(0, 4 * GIB, true);
	read_bounds(MEMINFO COMMIT, "0\n", 4711);
	expect_machine(0, 8 * GIB, false);
	read_bounds(MEMINFO COMMIT, "1\n", 4711);
	expect_machine(0, 8 * GIB, false);
	/* What is not understood is not taken for a limit. */
	read_bounds(MEMINFO COMMIT, "2, or so\n", 4711);
	expect_machine(0, 8 * GIB, false);
}

static void what_the_machine_does_not_tell_bounds_nothing(void **state)
{
	(void)state;
	need_proc();
	read_bounds(MEMINFO, "2\n", 4711);
	assert_int_equal(bounds.count, 0);
	read_bounds("nonsense\n", "2\n", 4711);
	assert_int_equal(bounds.count, 0);
	read_bounds("", "2\n", 4711);
	assert_int_equal(bounds.count, 0);
}

static vms_budget *open_budget(const char *name, size_t limit)
{
	const struct vms_budget_options options = {
		.struct_size = sizeof(options), .name = name, .limit = limit,
		.policy = VMS_COMMIT_STRICT, .flags = VMS_BUDGET_SHARED,
	};
	vms_budget *budget = vms_budget_open(&options);

	assert_non_null(budget);
	return budget;
}

static void budgets_come_before_the_machine_each_once(void **state)
{
	vms_budget *budget;
	int again;

	(void)state;
	need_proc();
	budget = open_budget("tenants", GIB);
	again = fcntl(vms_budget_fd(budget), F_DUPFD_CLOEXEC, 0);
	assert_true(again >= 0);
	assert_int_equal(vms_budget_charge(budget, 3 << 20), 0);
	read_bounds(MEMINFO COMMIT, "0\n", PID);
	assert_int_equal(bounds.list[0].kind, VMSI_BOUND_BUDGET);
	assert_string_equal(bounds.list[0].name, "tenants");
	assert_int_equal(bounds.list[0].committed, 3 << 20);
	assert_int_equal(bounds.list[0].limit, GIB);
	assert_true(bounds.list[0].is_held);
	expect_machine(1, 8 * GIB, false);
	close(again);
	vms_budget_uncharge(budget, 3 << 20);
	assert_int_equal(vms_budget_close(budget), 0);
	read_bounds(MEMINFO COMMIT, "0\n", PID);
	expect_machine(0, 8 * GIB, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(the_limit_holds_in_mode_2_alone, forget),
		cmocka_unit_test_teardown(what_the_machine_does_not_tell_bounds_nothing,
					  forget),
		cmocka_unit_test_teardown(budgets_come_before_the_machine_each_once,
					  forget),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, begin, end_proc);
}
