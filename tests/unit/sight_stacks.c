/* SPDX-License-Identifier: MIT */
/* Where threads have their stacks, by what the kernel tells of each. */
#include "made_proc.h"

#include "cli/sight/stacks.h"

static struct vmsi_stacks stacks;

static void put_thread(int thread, const char *name, const char *told)
{
	put_file(told, "/proc/40/task/%d/syscall", thread);
	put_file(name, "/proc/%d/comm", thread);
}

static int begin(void **state)
{
	begin_proc(state);
	if (!real_proc[0])
		return 0;
	put_thread(40, "first\n", "0 0x1 0x2 0x3 0x4 0x5 0x6 0x7000 0x400000\n");
	put_thread(41, "waits\n", "202 0x1 0x80 0x0 0x0 0x0 0xff 0x9000 0x400100\n");
	put_thread(42, "fell asleep\n", "-1 0x5000 0x400200\n");
	put_thread(43, "runs\n", "running\n");
	put_thread(44, "is another's\n", "");
	put_thread(45, "odd\n", "7 0x1 nonsense 0x400300\n");
	put_thread(46, "has\na line\n", "1 0x0 0x0 0x0 0x0 0x0 0x0 0x7ffff7ff0000 0x1");
	/* It has ended before its files were read. */
	assert_int_equal(mkdir("/proc/40/task/47", 0755), 0);
	assert_int_equal(mkdir("/proc/40/task/others", 0755), 0);
	return 0;
}

static void threads_that_wait_are_told_in_order(void **state)
{
	(void)state;
	need_proc();
	assert_int_equal(vmsi_stacks_read(&stacks, 40), 0);
	assert_int_equal(stacks.count, 3);
	assert_int_equal(stacks.list[0].thread, 42);
	assert_int_equal(stacks.list[0].pointer, 0x5000);
	assert_string_equal(stacks.list[0].command, "fell asleep");
	assert_int_equal(stacks.list[1].thread, 41);
	assert_int_equal(stacks.list[1].pointer, 0x9000);
	assert_int_equal(stacks.list[2].pointer, 0x7ffff7ff0000);
	assert_string_equal(stacks.list[2].command, "has\na line");
	/* The first thread's stack has a name of the kernel's. */
	assert_int_equal(stacks.untold, 4);
	vmsi_stacks_free(&stacks);
}

static void a_stack_is_where_its_pointer_is(void **state)
{
	(void)state;
	need_proc();
	assert_int_equal(vmsi_stacks_read(&stacks, 40), 0);
	assert_null(vmsi_stacks_find(&stacks, 0x1000, 0x5000));
	assert_int_equal(vmsi_stacks_find(&stacks, 0x5000, 0x5001)->thread, 42);
	assert_null(vmsi_stacks_find(&stacks, 0x5001, 0x9000));
	/* The lower of two. */
	assert_int_equal(vmsi_stacks_find(&stacks, 0x4000, 0xa000)->thread, 42);
	assert_null(vmsi_stacks_find(&stacks, 0x7ffff7ff0001, UINTPTR_MAX));
	vmsi_stacks_free(&stacks);
}

static void of_what_cannot_be_listed_none_is_told(void **state)
{
	(void)state;
	need_proc();
	assert_int_equal(vmsi_stacks_read(&stacks, 4711), 0);
	assert_int_equal(stacks.count + stacks.untold, 0);
	assert_null(vmsi_stacks_find(&stacks, 0, UINTPTR_MAX));
	vmsi_stacks_free(&stacks);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threads_that_wait_are_told_in_order),
		cmocka_unit_test(a_stack_is_where_its_pointer_is),
		cmocka_unit_test(of_what_cannot_be_listed_none_is_told),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, begin, end_proc);
}
