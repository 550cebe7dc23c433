/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "budget/budget.h"
#include "budget/member.h"
#include "budget/slots.h"
#include "budget_fixture.h"
#include "space_fixture.h"

/* Objects that several mappings, spaces, budgets and processes hold. */

#define LIMIT_PAGES 100

static vms_budget *budget;
static vms_space *second;

static vms_space *open_under(vms_budget *above, unsigned flags)
{
	const struct vms_space_options options = {
		.struct_size = sizeof(options),
		.commit_policy = VMS_COMMIT_ALWAYS,
		.flags = flags,
		.budget = above,
	};
	vms_space *made = vms_space_open(bytes(SPACE_PAGES), &options);

	assert_non_null(made);
	return made;
}

static int open_with(vms_budget *opened)
{
	budget = opened;
	space = open_under(budget, 0);
	second = open_under(budget, 0);
	return 0;
}

static int open_own(void **state)
{
	(void)state;
	return open_with(open_strict(bytes(LIMIT_PAGES), NULL));
}

static int open_for_all(void **state)
{
	(void)state;
	return open_with(open_shared(bytes(LIMIT_PAGES), VMS_COMMIT_STRICT));
}

static int close_all(void **state)
{
	int status = close_space(state);

	if (vms_space_close(second) != 0 || stats_of(budget).charged != 0) {
		print_error("a closed space has left a charge\n");
		status = -1;
	}
	return vms_budget_close(budget) == 0 ? status : -1;
}

/* Under a budget of this process, and under one of many. */
#define BOTH(test) \
	cmocka_unit_test_setup_teardown(test, open_own, close_all), \
	cmocka_unit_test_setup_teardown(test, open_for_all, close_all)
#define SHARED_ONLY(test) \
	cmocka_unit_test_setup_teardown(test, open_for_all, close_all)

static size_t charged_pages(void)
{
	return stats_of(budget).charged / vmsi_page_size();
}

static int make_file(size_t pages)
{
	int fd = memfd_create("object", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)bytes(pages)), 0);
	return fd;
}

static void *map_file(vms_space *where, int fd, size_t pages, int flags)
{
	void *memory = vms_mmap(where, NULL, bytes(pages), RW, flags, fd, 0);

	assert_ptr_not_equal(memory, MAP_FAILED);
	return memory;
}

static void unmap(vms_space *where, void *memory, size_t pages)
{
	assert_int_equal(vms_munmap(where, memory, bytes(pages)), 0);
}

/* --- one process --------------------------------------------------------- */

static void a_file_in_memory_is_charged_while_it_is_mapped(void **state)
{
	int fd = make_file(40);
	void *whole = map_file(space, fd, 40, MAP_SHARED);
	void *part = map_file(space, fd, 1, MAP_SHARED);
	void *elsewhere = map_file(second, fd, 10, MAP_SHARED);

	(void)state;
	assert_int_equal(charged_pages(), 40);
	/* Linux charges nothing when it is mapped, so the space does not. */
	assert_int_equal(stats_now().committed, 0);
	unmap(space, whole, 39);
	unmap(space, part, 1);
	assert_int_equal(charged_pages(), 40);
	unmap(space, (char *)whole + bytes(39), 1);
	assert_int_equal(charged_pages(), 40);
	unmap(second, elsewhere, 10);
	assert_int_equal(charged_pages(), 0);
	assert_int_equal(stats_of(budget).peak, bytes(40));
	close(fd);
}

static void what_is_mapped_private_holds_nothing(void **state)
{
	int fd = make_file(40);
	void *copy = map_file(space, fd, 10, MAP_PRIVATE);
	void *memory;

	(void)state;
	assert_int_equal(charged_pages(), 10);
	memory = map_file(space, fd, 40, MAP_SHARED);
	assert_int_equal(charged_pages(), 50);
	unmap(space, memory, 40);
	assert_int_equal(charged_pages(), 10);
	unmap(space, copy, 10);
	assert_int_equal(charged_pages(), 0);
	close(fd);
}

static void other_files_are_not_charged(void **state)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	void *memory = vms_mmap(space, NULL, bytes(1), PROT_READ, MAP_SHARED,
				fd, 0);

	(void)state;
	assert_ptr_not_equal(memory, MAP_FAILED);
	assert_int_equal(charged_pages(), 0);
	unmap(space, memory, 1);
	close(fd);
}

static void a_file_that_has_grown_is_seen_when_it_is_mapped_again(void **state)
{
	int fd = make_file(10);
	char *memory = map_file(space, fd, 10, MAP_SHARED), *again;

	(void)state;
	assert_int_equal(ftruncate(fd, (off_t)bytes(30)), 0);
	again = map_file(second, fd, 1, MAP_SHARED);
	assert_int_equal(charged_pages(), 30);
	unmap(second, again, 1);
	assert_int_equal(charged_pages(), 30);
	/* A mapping that grows says what it is going to reach. */
	assert_int_equal(ftruncate(fd, (off_t)bytes(50)), 0);
	again = vms_mremap(space, memory, bytes(10), bytes(50), MREMAP_MAYMOVE,
			   NULL);
	assert_ptr_not_equal(again, MAP_FAILED);
	assert_int_equal(charged_pages(), 50);
	assert_int_equal(ftruncate(fd, (off_t)bytes(101)), 0);
	assert_map_fails(vms_mmap(second, NULL, bytes(1), RW, MAP_SHARED, fd, 0),
			 ENOMEM);
	assert_int_equal(charged_pages(), 50);
	unmap(space, again, 50);
	assert_int_equal(charged_pages(), 0);
	close(fd);
}

static void anonymous_memory_keeps_its_size(void **state)
{
	char *memory = map_as(0, 20, RW, SHARED), *alias;

	(void)state;
	assert_int_equal(charged_pages(), 20);
	assert_int_equal(stats_now().committed, bytes(20));
	alias = vms_mremap(space, memory, 0, bytes(40), MREMAP_MAYMOVE, NULL);
	assert_ptr_not_equal(alias, MAP_FAILED);
	assert_int_equal(charged_pages(), 20);
	unmap(space, memory, 20);
	unmap(space, alias, 39);
	assert_int_equal(charged_pages(), 20);
	unmap(space, alias + bytes(39), 1);
	assert_int_equal(charged_pages(), 0);
}

static void without_reserve_nothing_is_held(void **state)
{
	const struct vms_budget_options any = {
		.struct_size = sizeof(any), .policy = VMS_COMMIT_ALWAYS,
	};
	vms_budget *lenient = vms_budget_open(&any);
	vms_space *under = open_under(lenient, 0);
	vms_space *without = open_under(budget, VMS_SPACE_FILES_UNCHARGED);
	int fd = make_file(40);

	(void)state;
	(void)map_file(under, fd, 40, MAP_SHARED | MAP_NORESERVE);
	assert_int_equal(stats_of(lenient).charged, 0);
	(void)map_file(under, fd, 40, MAP_SHARED);
	assert_int_equal(stats_of(lenient).charged, bytes(40));
	(void)map_file(without, fd, 40, MAP_SHARED);
	assert_int_equal(charged_pages(), 0);
	assert_int_equal(vms_space_close(under), 0);
	assert_int_equal(vms_space_close(without), 0);
	close_budget(lenient);
	close(fd);
}

/* --- limits -------------------------------------------------------------- */

static void a_refused_object_leaves_all_as_it_was(void **state)
{
	int fd = make_file(60), large = make_file(LIMIT_PAGES + 1);
	void *memory = map_file(space, fd, 60, MAP_SHARED);

	(void)state;
	assert_map_fails(vms_mmap(second, NULL, bytes(41), RW, SHARED, -1, 0),
			 ENOMEM);
	assert_int_equal(vms_last_refusal(), VMS_REFUSAL_BUDGET);
	assert_map_fails(vms_mmap(second, NULL, bytes(1), RW, MAP_SHARED, large,
				  0), ENOMEM);
	assert_int_equal(vms_last_refusal(), VMS_REFUSAL_BUDGET);
	assert_int_equal(stats_of(budget).refusals, 2);
	assert_int_equal(charged_pages(), 60);
	assert_int_equal(stats_of(budget).peak, bytes(60));
	/* What is charged already fits, however little is left. */
	charge(budget, bytes(40));
	unmap(second, map_file(second, fd, 60, MAP_SHARED), 60);
	uncharge(budget, bytes(40));
	unmap(space, memory, 60);
	assert_int_equal(charged_pages(), 0);
	close(fd);
	close(large);
}

/* In the place of private memory it is charged the net. */
static void in_place_of_other_memory_the_net_must_fit(void **state)
{
	int fd = make_file(60);

	(void)state;
	(void)map_as(0, 90, RW, ANONYMOUS);
	assert_map_fails(vms_mmap(second, NULL, bytes(60), RW, MAP_SHARED, fd,
				  0), ENOMEM);
	assert_ptr_equal(vms_mmap(space, at(0), bytes(55), RW,
				  MAP_SHARED | MAP_FIXED, fd, 0), at(0));
	assert_int_equal(charged_pages(), 35 + 60);
	assert_int_equal(stats_of(budget).peak, bytes(95));
	/* Held already: all of what is replaced comes back. */
	assert_ptr_equal(vms_mmap(space, at(55), bytes(35), RW,
				  MAP_SHARED | MAP_FIXED, fd, 0), at(55));
	assert_int_equal(charged_pages(), 60);
	assert_ptr_equal(vms_mmap(space, at(0), bytes(90), RW,
				  ANONYMOUS | MAP_FIXED, -1, 0), MAP_FAILED);
	assert_int_equal(charged_pages(), 60);
	close(fd);
}

static void each_level_is_charged_once(void **state)
{
	vms_budget *left = open_strict(bytes(50), budget);
	vms_budget *right = open_strict(bytes(30), budget);
	vms_space *in_left = open_under(left, 0);
	vms_space *in_right = open_under(right, 0);
	int fd = make_file(40), small = make_file(20);
	void *memory;

	(void)state;
	memory = map_file(in_left, fd, 40, MAP_SHARED);
	(void)map_file(space, fd, 40, MAP_SHARED);
	(void)map_file(in_right, small, 20, MAP_SHARED);
	assert_map_fails(vms_mmap(in_left, NULL, bytes(20), RW, MAP_SHARED,
				  small, 0), ENOMEM);
	unmap(in_left, memory, 40);
	assert_int_equal(stats_of(left).charged, 0);
	assert_int_equal(charged_pages(), 60);
	(void)map_file(in_left, small, 20, MAP_SHARED);
	assert_int_equal(stats_of(left).charged, bytes(20));
	assert_int_equal(stats_of(right).charged, bytes(20));
	assert_int_equal(charged_pages(), 60);
	assert_map_fails(vms_mmap(in_right, NULL, bytes(40), RW, MAP_SHARED, fd,
				  0), ENOMEM);
	assert_int_equal(stats_of(right).refusals, 1);
	assert_int_equal(vms_space_close(in_left), 0);
	assert_int_equal(charged_pages(), 60);
	assert_int_equal(vms_space_close(in_right), 0);
	assert_int_equal(charged_pages(), 40);
	close_budget(left);
	close_budget(right);
	close(fd);
	close(small);
}

/* --- many processes ------------------------------------------------------ */

/* A second handle is as a second process. */
static void who_joins_holds_the_same_object(void **state)
{
	vms_budget *other = vms_budget_from_fd(vms_budget_fd(budget));
	vms_space *theirs = open_under(other, 0);
	int fd = make_file(70);
	void *memory = map_file(space, fd, 70, MAP_SHARED);

	(void)state;
	(void)map_file(theirs, fd, 70, MAP_SHARED);
	assert_int_equal(charged_pages(), 70);
	assert_int_equal(stats_of(budget).charged_here, bytes(70));
	assert_int_equal(stats_of(other).charged_here, bytes(70));
	unmap(space, memory, 70);
	assert_int_equal(charged_pages(), 70);
	assert_int_equal(stats_of(budget).charged_here, 0);
	assert_map_fails(vms_mmap(space, NULL, bytes(31), RW, SHARED, -1, 0),
			 ENOMEM);
	assert_int_equal(vms_space_close(theirs), 0);
	assert_int_equal(charged_pages(), 0);
	assert_int_equal(stats_of(budget).peak, bytes(70));
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
 * What has no place is charged as each one's own: never less than is right, and
 * in one process exactly that.
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
	assert_int_equal(stats_of(budget).peak, bytes(count + 5));
	assert_int_equal(vms_space_close(theirs), 0);
	close_budget(other);
	assert_int_equal(vms_munmap(space, at(0), bytes(count + 3)), 0);
	assert_int_equal(charged_pages(), 1);
	close(fd);
}

/* A child that says when it is there, and lives until it is told to do more. */
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
	if (stats_of(budget).charged_here != bytes(40 + 20) ||
	    vms_munmap(space, at(0), bytes(40)) != 0)
		return 1;
	return stats_of(budget).charged_here != bytes(20);
}

static void forked_objects_are_charged_once(void **state)
{
	struct child first, other;

	(void)state;
	(void)map_as(0, 40, RW, SHARED);
	charge(budget, bytes(20));
	first = start_child(unmap_all);
	/* From the first instant, whether the child has run or not. */
	assert_int_equal(charged_pages(), 40 + 2 * 20);
	other = start_child(unmap_all);
	assert_int_equal(charged_pages(), 40 + 3 * 20);
	assert_int_equal(stats_of(budget).charged_here, bytes(60));
	/* Who holds it is the same to the account. */
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

/* Nothing tells the handlers of fork whether there is a child. */
static void a_fork_that_fails_leaves_no_charge(void **state)
{
	(void)state;
	(void)map_as(0, 40, RW, SHARED);
	charge(budget, bytes(20));
	vmsi_member_prepare_child(budget);
	vmsi_member_leave_child(budget);
	assert_int_equal(charged_pages(), 60);
	charge(budget, bytes(40));
	assert_int_equal(stats_of(budget).peak, bytes(100));
	uncharge(budget, bytes(60));
}

/* --- another layout ------------------------------------------------------ */

static void a_budget_of_another_version_is_told_apart(void **state)
{
	const uint64_t magic = VMSI_BUDGET_MAGIC;
	const uint32_t version = VMSI_BUDGET_VERSION - 1;
	struct vmsi_budget_figures figures;
	int fd = memfd_create("old", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	(void)state;
	assert_int_equal(ftruncate(fd, 4096 + 64 * 1024), 0);
	assert_int_equal(pwrite(fd, &magic, sizeof(magic), 0), sizeof(magic));
	assert_int_equal(pwrite(fd, &version, sizeof(version), sizeof(magic)),
			 sizeof(version));
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	errno = 0;
	assert_null(vms_budget_from_fd(fd));
	assert_int_equal(errno, EPROTONOSUPPORT);
	assert_int_equal(vmsi_budget_read(fd, &figures), -EPROTONOSUPPORT);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(a_file_in_memory_is_charged_while_it_is_mapped),
		BOTH(what_is_mapped_private_holds_nothing),
		BOTH(other_files_are_not_charged),
		BOTH(a_file_that_has_grown_is_seen_when_it_is_mapped_again),
		BOTH(anonymous_memory_keeps_its_size),
		BOTH(without_reserve_nothing_is_held),
		BOTH(a_refused_object_leaves_all_as_it_was),
		BOTH(in_place_of_other_memory_the_net_must_fit),
		BOTH(each_level_is_charged_once),
		SHARED_ONLY(who_joins_holds_the_same_object),
		SHARED_ONLY(anonymous_objects_of_two_processes_are_two),
		SHARED_ONLY(objects_without_a_place_are_charged_too),
		SHARED_ONLY(forked_objects_are_charged_once),
		SHARED_ONLY(a_fork_that_fails_leaves_no_charge),
		SHARED_ONLY(a_budget_of_another_version_is_told_apart),
	};

	return cmocka_run_group_tests_name("budget_objects", tests, NULL, NULL);
}
