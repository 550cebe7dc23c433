/* SPDX-License-Identifier: MIT */
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "budget/budget.h"
#include "budget/member.h"
#include "budget/slots.h"
#include "budget_objects.h"

/* Objects that several processes hold under one shared budget. */

/* A second struct vms_budget for the same file behaves as a second process. */
static void who_joins_holds_the_same_object(void **state)
{
	vms_budget *other = vms_budget_from_fd(vms_budget_fd(budget));
	vms_space *theirs = open_under(other, 0);
	int fd = make_file(70);
	void *memory = map_file(space, fd, 70, MAP_SHARED);

	(void)state;
	(void)map_file(theirs, fd, 70, MAP_SHARED);
	assert_int_equal(charged_pages(), 70);
	assert_int_equal(stats_of(budget).committed_here, bytes(70));
	assert_int_equal(stats_of(other).committed_here, bytes(70));
	unmap(space, memory, 70);
	assert_int_equal(charged_pages(), 70);
	assert_int_equal(stats_of(budget).committed_here, 0);
	assert_map_fails(vms_mmap(space, NULL, bytes(31), RW, SHARED, -1, 0),
			 ENOMEM);
	assert_int_equal(vms_space_close(theirs), 0);
	assert_int_equal(charged_pages(), 0);
	assert_int_equal(stats_of(budget).committed_peak, bytes(70));
	close_budget(other);
	close(fd);
}

static void anonymous_objects_of_two_processes_are_two(void **state)
{
	vms_budget *other = vms_budget_from_fd(vms_budget_fd(budget));
	vms_space *theirs = open_under(other, 0);

	(void)state;
	(void)map_as(0, 30, RW, SHARED);
	assert_ptr_not_equal(vms_mmap(theirs, NULL, bytes(30), RW, SHARED, -1,
				      0), MAP_FAILED);
	assert_int_equal(charged_pages(), 60);
	assert_int_equal(vms_space_close(theirs), 0);
	close_budget(other);
}

/*
 * An object that finds no free entry in the shared table is charged to each process
 * that has it: never less than is right, and exact with one process.
 */
static void objects_without_a_place_are_charged_too(void **state)
{
	const size_t extra = 10, count = VMSI_BUDGET_OBJECTS + extra;
	vms_budget *other;
	vms_space *theirs;
	int fd = make_file(1);

	(void)state;
	assert_int_equal(vms_budget_set_limit(budget, bytes(count + 5)), 0);
	for (size_t i = 0; i < count; i++)
		(void)map_as(i, 1, RW, SHARED);
	assert_int_equal(charged_pages(), count);
	(void)map_file(second, fd, 1, MAP_SHARED);
	other = vms_budget_from_fd(vms_budget_fd(budget));
	theirs = open_under(other, 0);
	(void)map_file(theirs, fd, 1, MAP_SHARED);
	assert_int_equal(charged_pages(), count + 2);
	assert_map_fails(vms_mmap(space, NULL, bytes(4), RW, SHARED, -1, 0),
			 ENOMEM);
	(void)map_as(count, 3, RW, SHARED);
	assert_int_equal(stats_of(budget).committed_peak, bytes(count + 5));
	assert_int_equal(vms_space_close(theirs), 0);
	close_budget(other);
	assert_int_equal(vms_munmap(space, at(0), bytes(count + 3)), 0);
	assert_int_equal(charged_pages(), 1);
	close(fd);
}

/*
 * A child waits for an order, obeys it once, answers, and then waits to be killed.
 */
struct child {
	pid_t pid;
	int orders, answers;
};

static struct child start_child(int (*act)(void))
{
	int orders[2], answers[2];
	struct child child;

	assert_int_equal(pipe2(orders, O_CLOEXEC), 0);
	assert_int_equal(pipe2(answers, O_CLOEXEC), 0);
	child.pid = fork();
	assert_true(child.pid >= 0);
	if (child.pid == 0) {
		char byte = 0;

		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(orders[1]);
		if (read(orders[0], &byte, 1) == 1)
			byte = (char)act();
		(void)!write(answers[1], &byte, 1);
		(void)pause();
		_exit(0);
	}
	close(orders[0]);
	close(answers[1]);
	child.orders = orders[1];
	child.answers = answers[0];
	return child;
}

static void run_child(const struct child *child)
{
	char answer = 1;

	assert_int_equal(write(child->orders, "", 1), 1);
	assert_int_equal(read(child->answers, &answer, 1), 1);
	assert_int_equal(answer, 0);
}

static void kill_child(const struct child *child)
{
	assert_int_equal(kill(child->pid, SIGKILL), 0);
	assert_int_equal(waitpid(child->pid, NULL, 0), child->pid);
	close(child->orders);
	close(child->answers);
}

static int unmap_all(void)
{
	if (stats_of(budget).committed_here != bytes(40 + 20) ||
	    vms_munmap(space, at(0), bytes(40)) != 0)
		return 1;
	return stats_of(budget).committed_here != bytes(20);
}

static void forked_objects_are_charged_once(void **state)
{
	struct child first, other;

	(void)state;
	(void)map_as(0, 40, RW, SHARED);
	charge(budget, bytes(20));
	first = start_child(unmap_all);
	/* The child's copy is charged before the child has run. */
	assert_int_equal(charged_pages(), 40 + 2 * 20);
	other = start_child(unmap_all);
	assert_int_equal(charged_pages(), 40 + 3 * 20);
	assert_int_equal(stats_of(budget).committed_here, bytes(60));
	/* An object stays charged while any process has it mapped. */
	unmap(space, at(0), 40);
	assert_int_equal(charged_pages(), 40 + 3 * 20);
	run_child(&first);
	assert_int_equal(charged_pages(), 40 + 3 * 20);
	kill_child(&other);
	assert_int_equal(charged_pages(), 2 * 20);
	kill_child(&first);
	assert_int_equal(charged_pages(), 20);
	uncharge(budget, bytes(20));
}

/* When fork fails, the parent's fork handler runs as after a success. */
static void a_fork_that_fails_leaves_no_charge(void **state)
{
	(void)state;
	(void)map_as(0, 40, RW, SHARED);
	charge(budget, bytes(20));
	vmsi_member_prepare_child(budget);
	vmsi_member_leave_child(budget);
	assert_int_equal(charged_pages(), 60);
	charge(budget, bytes(40));
	assert_int_equal(stats_of(budget).committed_peak, bytes(100));
	uncharge(budget, bytes(60));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SHARED_ONLY(who_joins_holds_the_same_object),
		SHARED_ONLY(anonymous_objects_of_two_processes_are_two),
		SHARED_ONLY(objects_without_a_place_are_charged_too),
		SHARED_ONLY(forked_objects_are_charged_once),
		SHARED_ONLY(a_fork_that_fails_leaves_no_charge),
	};

	return cmocka_run_group_tests_name("budget_objects_shared", tests, NULL, NULL);
}
