/* SPDX-License-Identifier: MIT */
#include <spawn.h>
#include <sys/mman.h>

#include "budget_shared.h"

/* What a shared budget charges when a process forks, executes or spawns. */

static vms_space *space;

static int look_at_own_charge(void)
{
	struct vms_space_stats stats = { .struct_size = sizeof(stats) };

	if (vms_space_get_stats(space, &stats) != 0 ||
	    stats.committed != 40 * PAGE ||
	    stats_of(budget).committed_here != 60 * PAGE ||
	    stats_of(budget).committed != 120 * PAGE)
		return 1;
	/* Parent and copy together are past the limit, so nothing more fits. */
	if (vms_budget_charge(budget, 1) == 0)
		return 2;
	if (vms_munmap(space, vms_space_base(space), 40 * PAGE) != 0 ||
	    stats_of(budget).committed_here != 20 * PAGE)
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
	assert_int_equal(stats_of(budget).committed_peak, 120 * PAGE);
	assert_int_equal(vms_space_close(space), 0);
	assert_int_equal(charged_pages(), 20);
}

static int look_at_forked_part(void)
{
	return stats_of(budget).committed_here == 30 * PAGE ? 0 : 1;
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
		/*
		 * The raw clone runs no fork handler; the child's first call makes
		 * up for it.
		 */
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
	/* exec closes the child's end of the pipe. */
	assert_int_equal(read(ends[0], &byte, 1), 0);
	close(ends[0]);
	/* exec closes descriptors in turn, so the charge may outlast the pipe. */
	for (int i = 0; i < 1000 && charged_pages() != 40; i++)
		usleep(1000);
	assert_int_equal(charged_pages(), 40);
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	/* The child must not have ended by itself before. */
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
	assert_int_equal(stats_of(budget).committed_peak, 70 * PAGE);
	assert_int_equal(stats_of(budget).processes, 1);
	charge(budget, 30 * PAGE);
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SHARED(fork_charges_the_childs_copy),
		WITH_SHARED(what_is_not_forked_is_not_charged_to_the_child),
		WITH_SHARED(exec_gives_the_charge_back),
		WITH_SHARED(posix_spawn_charges_nothing),
	};

	return cmocka_run_group_tests_name("budget_shared_fork", tests, NULL, NULL);
}
