/* SPDX-License-Identifier: MIT */
/* Which processes are found: by number, name, tree and user. */
#include "made_proc.h"

#include "cli/sight/find.h"

#define KERNEL_THREAD 0x00200000u /* PF_KTHREAD */
#define NOBODYS 4711

static struct vmsi_finds finds;

/* --- a tree --------------------------------------------------------------- */

static void put_process(int pid, int parent, const char *name, char state,
			unsigned flags, int threads)
{
	char text[256];

	snprintf(text, sizeof(text), "%d (%s) %c %d %d %d 0 -1 %u 0 0 0 0 0 0 0 0 20 0 %d "
		 "0 99 1000 10 18446744073709551615\n", pid, name, state, parent, pid, pid,
		 flags, threads);
	put_file(text, "/proc/%d/stat", pid);
	snprintf(text, sizeof(text), "%s\n", name);
	put_file(text, "/proc/%d/comm", pid);
}

/*
 *   10 editor -- 11 shell -- 12 editor
 *            \-- 13, a kernel thread; 14, a zombie; 15, whose first thread has ended
 *   20 a name that the kernel has cut; 21 and 22, each the parent of the other
 */
static int begin(void **state)
{
	begin_proc(state);
	if (!real_proc[0])
		return 0;
	put_process(10, 1, "editor", 'S', 0, 1);
	put_process(11, 10, "shell", 'S', 0, 1);
	put_process(12, 11, "editor", 'R', 0, 3);
	put_process(13, 10, "editor", 'I', KERNEL_THREAD, 1);
	put_process(14, 10, "editor", 'Z', 0, 1);
	put_process(15, 10, "a) Z 1 (b", 'Z', 0, 2);
	put_process(20, 1, "a-very-long-nam", 'S', 0, 1);
	put_process(21, 22, "ring", 'S', 0, 1);
	put_process(22, 21, "ring", 'S', 0, 1);
	assert_int_equal(symlink("/usr/bin/a-very-long-name-too", "/proc/20/exe"), 0);
	/* It has ended meanwhile. */
	assert_int_equal(mkdir("/proc/30", 0755), 0);
	put_file("", "/proc/sys/kernel/pid_max");
	/* This one is asked, and not found by what it looks for. */
	put_process((int)getpid(), 1, "editor", 'R', 0, 1);
	return 0;
}

static int forget(void **state)
{
	(void)state;
	vmsi_finds_free(&finds);
	return 0;
}

/* The numbers of what was found are these, up to 0. */
static void expect_found(const pid_t *pids)
{
	size_t count = 0;

	for (; pids[count]; count++) {
		bool is_found = false;

		for (size_t i = 0; i < finds.count; i++)
			is_found |= finds.list[i].pid == pids[count];
		if (!is_found)
			fail_msg("process %d was not found", (int)pids[count]);
	}
	assert_int_equal(finds.count, count);
}

#define EXPECT_FOUND(...) expect_found((const pid_t[]){ __VA_ARGS__, 0 })

/* --- cases ---------------------------------------------------------------- */

static void each_is_found_once(void **state)
{
	(void)state;
	need_proc();
	assert_int_equal(vmsi_finds_add_named(&finds, "shell"), 0);
	assert_false(finds.list[0].is_asked_for);
	assert_int_equal(vmsi_finds_add(&finds, 11), 0);
	assert_int_equal(vmsi_finds_add_named(&finds, "shell"), 0);
	EXPECT_FOUND(11);
	assert_true(finds.list[0].is_asked_for);
}

static void what_has_no_memory_is_not_found(void **state)
{
	(void)state;
	need_proc();
	assert_int_equal(vmsi_finds_add_named(&finds, "editor"), 0);
	EXPECT_FOUND(10, 12);
	/* Names may have what stands behind them in the file. */
	assert_int_equal(vmsi_finds_add_named(&finds, "a) Z 1 (b"), 0);
	EXPECT_FOUND(10, 12, 15);
	assert_int_equal(vmsi_finds_add_named(&finds, "vi"), -ESRCH);
	EXPECT_FOUND(10, 12, 15);
}

static void cut_names_are_found_by_the_whole_and_by_the_file(void **state)
{
	(void)state;
	need_proc();
	assert_int_equal(vmsi_finds_add_named(&finds, "a-very-long-name-too"), 0);
	EXPECT_FOUND(20);
	vmsi_finds_free(&finds);
	assert_int_equal(vmsi_finds_add_named(&finds, "a-very-long-nam"), 0);
	EXPECT_FOUND(20);
	assert_int_equal(vmsi_finds_add_named(&finds, "a-very"), -ESRCH);
}

static void a_tree_has_parents_first(void **state)
{
	(void)state;
	need_proc();
	assert_int_equal(vmsi_finds_add_tree(&finds, 10), 0);
	EXPECT_FOUND(10, 11, 12, 15);
	assert_int_equal(finds.list[0].pid, 10);
	assert_int_equal(finds.list[finds.count - 1].pid, 12);
	for (size_t i = 0; i < finds.count; i++)
		assert_int_equal(finds.list[i].is_asked_for, i == 0);
}

/* Processes end while they are listed, and their numbers come again. */
static void a_ring_of_parents_ends(void **state)
{
	(void)state;
	need_proc();
	assert_int_equal(vmsi_finds_add_tree(&finds, 21), 0);
	EXPECT_FOUND(21, 22);
}

static void all_have_memory_and_one_is_this(void **state)
{
	(void)state;
	need_proc();
	assert_int_equal(vmsi_finds_add_all(&finds), 0);
	EXPECT_FOUND(10, 11, 12, 15, 20, 21, 22, getpid());
}

static void users_have_their_own(void **state)
{
	(void)state;
	need_proc();
	assert_int_equal(vmsi_finds_add_user(&finds, NOBODYS), -ESRCH);
	assert_int_equal(vmsi_finds_add_user(&finds, geteuid()), 0);
	EXPECT_FOUND(10, 11, 12, 15, 20, 21, 22);
	/* In a namespace of users there is no other one. */
	if (chown("/proc/11", NOBODYS, (gid_t)-1))
		return;
	vmsi_finds_free(&finds);
	assert_int_equal(vmsi_finds_add_user(&finds, NOBODYS), 0);
	EXPECT_FOUND(11);
}

static void without_procfs_nothing_is_found(void **state)
{
	(void)state;
	need_proc();
	assert_int_equal(mount("none", "/proc", "tmpfs", 0, NULL), 0);
	assert_int_equal(vmsi_finds_add_named(&finds, "editor"), -ENOENT);
	assert_int_equal(vmsi_finds_add_tree(&finds, 10), -ENOENT);
	assert_int_equal(umount("/proc"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(each_is_found_once, forget),
		cmocka_unit_test_teardown(what_has_no_memory_is_not_found, forget),
		cmocka_unit_test_teardown(
			cut_names_are_found_by_the_whole_and_by_the_file, forget),
		cmocka_unit_test_teardown(a_tree_has_parents_first, forget),
		cmocka_unit_test_teardown(a_ring_of_parents_ends, forget),
		cmocka_unit_test_teardown(all_have_memory_and_one_is_this, forget),
		cmocka_unit_test_teardown(users_have_their_own, forget),
		cmocka_unit_test_teardown(without_procfs_nothing_is_found, forget),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, begin, end_proc);
}
