/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "budget/budget.h"
#include "budget/member.h"
#include "budget/slots.h"
#include "budget_fixture.h"
#include "host/host.h"

/* Budgets that processes share: who is charged, and whose charge comes back. */

#define PAGE vmsi_page_size()

static vms_budget *budget;

static int open_one(void **state)
{
	(void)state;
	budget = open_shared(100 * PAGE, VMS_COMMIT_STRICT);
	return 0;
}

static int close_one(void **state)
{
	(void)state;
	return vms_budget_close(budget);
}

#define WITH_SHARED(test) \
	cmocka_unit_test_setup_teardown(test, open_one, close_one)

static size_t charged_pages(void)
{
	return stats_of(budget).charged / PAGE;
}

/* --- other processes ----------------------------------------------------- */

enum how { BY_FORK, BY_RAW_CLONE };

/*
 * A child that does something, says that it has (with the answer), and waits to
 * be killed.
 */
struct child {
	pid_t pid;
	int ready;
};

static void run_child(int (*act)(void), int ready)
{
	int answer;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	answer = act();
	/* Nobody reads what a dying test leaves. */
	if (write(ready, &answer, sizeof(answer)) == sizeof(answer))
		(void)pause();
	_exit(0);
}

static struct child start_child(enum how how, int (*act)(void))
{
	struct child child;
	int ends[2], answer = -1;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	child.pid = how == BY_FORK ? fork() :
		    (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	assert_true(child.pid >= 0);
	if (child.pid == 0)
		run_child(act, ends[1]);
	close(ends[1]);
	assert_int_equal(read(ends[0], &answer, sizeof(answer)),
			 sizeof(answer));
	assert_int_equal(answer, 0);
	child.ready = ends[0];
	return child;
}

/* It is dead, and nobody has waited for it. */
static void kill_child(const struct child *child)
{
	siginfo_t info;

	assert_int_equal(kill(child->pid, SIGKILL), 0);
	assert_int_equal(waitid(P_PID, (id_t)child->pid, &info,
				WEXITED | WNOWAIT), 0);
}

static void bury(const struct child *child)
{
	assert_int_equal(waitpid(child->pid, NULL, 0), child->pid);
	close(child->ready);
}

static int charge_sixty(void)
{
	return vms_budget_charge(budget, 60 * PAGE);
}

static void what_one_charges_the_others_see(void **state)
{
	vms_budget *other = vms_budget_from_fd(vms_budget_fd(budget));

	(void)state;
	assert_non_null(other);
	assert_string_equal(vms_budget_name(other), "shared");
	assert_int_equal(stats_of(other).policy, VMS_COMMIT_STRICT);
	charge(other, 70 * PAGE);
	assert_int_equal(charged_pages(), 70);
	assert_int_equal(stats_of(budget).charged_here, 0);
	assert_refused(vms_budget_charge(budget, 31 * PAGE), ENOMEM);
	charge(budget, 30 * PAGE);
	assert_int_equal(vms_budget_set_limit(budget, 200 * PAGE), 0);
	assert_int_equal(stats_of(other).limit, 200 * PAGE);
	charge(other, 100 * PAGE);
	assert_int_equal(stats_of(budget).peak, 200 * PAGE);
	assert_int_equal(stats_of(other).refusals, 1);
	assert_int_equal(stats_of(budget).processes, 1);
	close_budget(other);
	assert_int_equal(charged_pages(), 30);
}

static void a_killed_process_gives_its_charge_back(void **state)
{
	struct child child = start_child(BY_FORK, charge_sixty);

	(void)state;
	assert_int_equal(charged_pages(), 60);
	assert_int_equal(stats_of(budget).processes, 2);
	assert_refused(vms_budget_charge(budget, 50 * PAGE), ENOMEM);
	assert_int_equal(stats_of(budget).refusals, 1);
	kill_child(&child);
	/* It is looked for only when something would be refused. */
	charge(budget, 50 * PAGE);
	assert_int_equal(charged_pages(), 50);
	assert_int_equal(stats_of(budget).processes, 1);
	bury(&child);
}

/* As one that was killed after it has asked and before it was answered. */
static int ask_for_ninety(void)
{
	atomic_store(&budget->shared->slots[budget->slot].asking, 90 * PAGE);
	return 0;
}

static void one_that_is_killed_while_it_asks_holds_nobody_up(void **state)
{
	struct child child = start_child(BY_FORK, ask_for_ninety);

	(void)state;
	kill_child(&child);
	charge(budget, 50 * PAGE);
	assert_int_equal(charged_pages(), 50);
	bury(&child);
}

/* One that is stopped there counts as if it had got what it asks for. */
static void one_that_asks_for_ever_is_not_waited_for(void **state)
{
	struct child child = start_child(BY_FORK, ask_for_ninety);

	(void)state;
	assert_refused(vms_budget_charge(budget, 50 * PAGE), ENOMEM);
	charge(budget, 10 * PAGE);
	kill_child(&child);
	charge(budget, 50 * PAGE);
	bury(&child);
}

/* As one that was stopped after it had begun to change an object. */
static int begin_a_change(void)
{
	atomic_store(&budget->shared->slots[budget->slot].changing, 1);
	return 0;
}

static void one_that_is_in_a_change_for_ever_is_not_waited_for(void **state)
{
	struct child child = start_child(BY_FORK, begin_a_change);

	(void)state;
	charge(budget, 50 * PAGE);
	assert_refused(vms_budget_charge(budget, 51 * PAGE), ENOMEM);
	kill_child(&child);
	charge(budget, 50 * PAGE);
	assert_int_equal(charged_pages(), 100);
	/* Its slot is cleared, and does not make others look again. */
	assert_true(vmsi_places_sum(budget, 2, NULL).is_exact);
	bury(&child);
}

/* --- fork, exec ---------------------------------------------------------- */

static vms_space *space;

static int look_at_own_charge(void)
{
	struct vms_space_stats stats = { .struct_size = sizeof(stats) };

	if (vms_space_get_stats(space, &stats) != 0 ||
	    stats.committed != 40 * PAGE ||
	    stats_of(budget).charged_here != 60 * PAGE ||
	    stats_of(budget).charged != 120 * PAGE)
		return 1;
	/* Past the limit there is nothing left. */
	if (vms_budget_charge(budget, 1) == 0)
		return 2;
	if (vms_munmap(space, vms_space_base(space), 40 * PAGE) != 0 ||
	    stats_of(budget).charged_here != 20 * PAGE)
		return 3;
	return 0;
}

static void open_space_of(size_t pages)
{
	const struct vms_space_options options = {
		.struct_size = sizeof(options),
		.commit_policy = VMS_COMMIT_ALWAYS,
		.budget = budget,
	};

	space = vms_space_open(1000 * PAGE, &options);
	assert_non_null(space);
	if (pages == 0)
		return;
	assert_ptr_equal(vms_mmap(space, vms_space_base(space), pages * PAGE,
				  PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
				  0), vms_space_base(space));
}

static void fork_charges_the_childs_copy(void **state)
{
	(void)state;
	open_space_of(40);
	charge(budget, 20 * PAGE);
	for (enum how how = BY_FORK; how <= BY_RAW_CLONE; how++) {
		struct child child = start_child(how, look_at_own_charge);

		assert_int_equal(charged_pages(), 60 + 20);
		kill_child(&child);
		assert_int_equal(charged_pages(), 60);
		bury(&child);
	}
	assert_int_equal(stats_of(budget).peak, 120 * PAGE);
	assert_int_equal(vms_space_close(space), 0);
	assert_int_equal(charged_pages(), 20);
}

static int look_at_forked_part(void)
{
	return stats_of(budget).charged_here == 30 * PAGE ? 0 : 1;
}

static int mend_and_look(void)
{
	return vms_munmap(space, (char *)vms_space_base(space) + 500 * PAGE,
			  PAGE) != 0 ? 2 : look_at_forked_part();
}

static void what_is_not_forked_is_not_charged_to_the_child(void **state)
{
	(void)state;
	open_space_of(40);
	assert_int_equal(vms_madvise(space, vms_space_base(space), 10 * PAGE,
				     MADV_DONTFORK), 0);
	for (enum how how = BY_FORK; how <= BY_RAW_CLONE; how++) {
		/* A child of clone is mended by its first call on the space. */
		struct child child = start_child(how, how == BY_FORK ?
						 look_at_forked_part :
						 mend_and_look);

		assert_int_equal(charged_pages(), 70);
		kill_child(&child);
		bury(&child);
	}
	assert_int_equal(vms_space_close(space), 0);
}

static void exec_gives_the_charge_back(void **state)
{
	char name[] = "sleep", seconds[] = "60";
	char *const arguments[] = { name, seconds, NULL };
	int ends[2], status;
	char byte;
	pid_t child;

	(void)state;
	charge(budget, 40 * PAGE);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		(void)vms_budget_charge(budget, 20 * PAGE);
		(void)execv("/bin/sleep", arguments);
		_exit(127);
	}
	close(ends[1]);
	/* The end that the child had is closed by exec. */
	assert_int_equal(read(ends[0], &byte, 1), 0);
	close(ends[0]);
	/* The kernel closes them one after another. */
	for (int i = 0; i < 1000 && charged_pages() != 40; i++)
		usleep(1000);
	assert_int_equal(charged_pages(), 40);
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	/* It did not end by itself. */
	assert_true(WIFSIGNALED(status));
}

static void posix_spawn_charges_nothing(void **state)
{
	char name[] = "sleep", seconds[] = "60";
	char *const arguments[] = { name, seconds, NULL };
	char *const environment[] = { NULL };
	pid_t child;

	(void)state;
	charge(budget, 70 * PAGE);
	assert_int_equal(posix_spawn(&child, "/bin/sleep", NULL, NULL,
				     arguments, environment), 0);
	assert_int_equal(stats_of(budget).peak, 70 * PAGE);
	assert_int_equal(stats_of(budget).processes, 1);
	charge(budget, 30 * PAGE);
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

/* A shared budget as parent: each process has a part of it for itself. */
static void it_can_be_a_parent(void **state)
{
	vms_budget *part = open_strict(30 * PAGE, budget);

	(void)state;
	charge(part, 30 * PAGE);
	assert_refused(vms_budget_charge(part, 1), ENOMEM);
	assert_int_equal(stats_of(part).refusals, 1);
	charge(budget, 60 * PAGE);
	uncharge(part, 10 * PAGE);
	assert_int_equal(charged_pages(), 80);
	charge(budget, 15 * PAGE);
	assert_refused(vms_budget_charge(part, 10 * PAGE), ENOMEM);
	assert_int_equal(stats_of(part).charged, 20 * PAGE);
	assert_int_equal(stats_of(budget).refusals, 1);
	assert_refused(vms_budget_close(budget), EBUSY);
	close_budget(part);
	assert_int_equal(charged_pages(), 75);
}

static void other_policies_are_kept_too(void **state)
{
	vms_budget *each = open_shared(100, VMS_COMMIT_HEURISTIC);
	vms_budget *any = open_shared(100, VMS_COMMIT_ALWAYS);

	(void)state;
	charge(each, 100);
	charge(each, 100);
	assert_refused(vms_budget_charge(each, 101), ENOMEM);
	assert_int_equal(stats_of(each).peak, 200);
	charge(any, SIZE_MAX - 10);
	assert_refused(vms_budget_charge(any, 11), ENOMEM);
	assert_int_equal(stats_of(any).charged, SIZE_MAX - 10);
	close_budget(each);
	close_budget(any);
}

/* --- many processes ------------------------------------------------------ */

#define HOGS 6
#define CHARGES 20000

/* What the processes hold between a charge and its uncharge; shared by all. */
static _Atomic size_t *held;

static int hog(unsigned seed)
{
	unsigned granted = 0;

	for (unsigned i = 0; i < CHARGES; i++) {
		size_t pages = 1 + (seed * 31 + i * 7) % 60;

		if (vms_budget_charge(budget, pages * PAGE) != 0)
			continue;
		granted++;
		if (atomic_fetch_add(held, pages) + pages > 100)
			return 1;
		atomic_fetch_sub(held, pages);
		if (vms_budget_uncharge(budget, pages * PAGE) != 0)
			return 2;
	}
	return granted ? 0 : 3;
}

static void run_hogs(int (*act)(unsigned seed))
{
	pid_t hogs[HOGS];

	for (unsigned i = 0; i < HOGS; i++) {
		hogs[i] = fork();
		assert_true(hogs[i] >= 0);
		if (hogs[i] == 0) {
			(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
			_exit(act(i));
		}
	}
	for (unsigned i = 0; i < HOGS; i++) {
		int status;

		assert_int_equal(waitpid(hogs[i], &status, 0), hogs[i]);
		assert_int_equal(status, 0);
	}
}

static void the_limit_holds_at_every_instant(void **state)
{
	(void)state;
	held = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(held, MAP_FAILED);
	run_hogs(hog);
	assert_int_equal(charged_pages(), 0);
	assert_true(stats_of(budget).peak <= 100 * PAGE);
	assert_true(stats_of(budget).peak >= 60 * PAGE);
	munmap(held, PAGE);
}

static int modest_hog(unsigned seed)
{
	(void)seed;
	for (unsigned i = 0; i < CHARGES; i++)
		if (vms_budget_charge(budget, 100 / HOGS * PAGE) != 0 ||
		    vms_budget_uncharge(budget, 100 / HOGS * PAGE) != 0)
			return 1;
	return 0;
}

/* However they meet: what others ask for at the same time is no reason. */
static void what_always_fits_is_never_refused(void **state)
{
	(void)state;
	run_hogs(modest_hog);
	assert_int_equal(stats_of(budget).refusals, 0);
}

/* --- objects on their way ------------------------------------------------ */

#define OBJECTS 4
#define OBJECT_STEPS 60000

/* What the processes know to be held; at most what really is. */
static struct {
	atomic_flag lock;
	unsigned holders[OBJECTS];
	size_t pages;
	_Atomic unsigned started;
	bool is_broken;
} *known;

static size_t object_pages(unsigned object)
{
	return 25 + 5 * (size_t)object;
}

static void note(unsigned object, bool taken)
{
	size_t pages = object_pages(object);

	while (atomic_flag_test_and_set(&known->lock))
		sched_yield();
	if (taken && known->holders[object]++ == 0)
		known->pages += pages;
	if (!taken && --known->holders[object] == 0)
		known->pages -= pages;
	known->is_broken |= known->pages > 100;
	atomic_flag_clear(&known->lock);
}

/*
 * One object is let go while another process may just take it from there, and a
 * third what it leaves. By the calls that spaces make, without theirs to the host
 * in between. The first to come wait for the last.
 */
static int object_hog(unsigned seed)
{
	unsigned granted = 0, turn = seed;

	atomic_fetch_add(&known->started, 1);
	while (atomic_load(&known->started) < HOGS)
		sched_yield();
	for (unsigned i = 0; i < OBJECT_STEPS; i++) {
		unsigned object = (turn = turn * 1103515245u + 12345u) / 65536 %
			OBJECTS;
		const struct vmsi_hold hold = {
			.id = { 1, object },
			.bytes = object_pages(object) * PAGE,
		};

		if (vmsi_budget_upper.hold(budget, &hold, 0) != 0)
			continue;
		granted++;
		note(object, true);
		note(object, false);
		vmsi_budget_upper.release(budget, hold.id);
	}
	return granted ? 0 : 3;
}

static void an_object_on_its_way_is_seen_by_all(void **state)
{
	(void)state;
	known = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(known, MAP_FAILED);
	run_hogs(object_hog);
	assert_false(known->is_broken);
	assert_int_equal(charged_pages(), 0);
	assert_true(stats_of(budget).peak <= 100 * PAGE);
	munmap(known, PAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SHARED(what_one_charges_the_others_see),
		WITH_SHARED(a_killed_process_gives_its_charge_back),
		WITH_SHARED(one_that_is_killed_while_it_asks_holds_nobody_up),
		WITH_SHARED(one_that_asks_for_ever_is_not_waited_for),
		WITH_SHARED(one_that_is_in_a_change_for_ever_is_not_waited_for),
		WITH_SHARED(fork_charges_the_childs_copy),
		WITH_SHARED(what_is_not_forked_is_not_charged_to_the_child),
		WITH_SHARED(exec_gives_the_charge_back),
		WITH_SHARED(posix_spawn_charges_nothing),
		WITH_SHARED(it_can_be_a_parent),
		cmocka_unit_test(other_policies_are_kept_too),
		WITH_SHARED(the_limit_holds_at_every_instant),
		WITH_SHARED(what_always_fits_is_never_refused),
		WITH_SHARED(an_object_on_its_way_is_seen_by_all),
	};

	return cmocka_run_group_tests_name("budget_shared", tests, NULL, NULL);
}
