/* SPDX-License-Identifier: MIT */
#include <signal.h>

#include "../unit/stacks_fixture.h"
#include "host_fault.h"
#include "space/inside.h"

/*
 * Every host call of every operation on a pool of stacks is failed in turn: once, from
 * then on, and with its target destroyed. An operation that fails has left the pool and
 * its space as they were, and the pool is as usable as before.
 */

#define CALLS_MAX 500
#define TAKEN_BEFORE 9

static struct {
	vms_space *space;
	vms_stack stacks[COUNT];
	size_t taken;
	bool closed;
	struct fault_plan plan;
	struct fault_result result;
} run;

struct scenario {
	const char *name;
	unsigned flags;
	int (*act)(void);
	long taken;            /* how many more stacks are taken after it */
};

static void wrong(const struct scenario *scenario, const char *what)
{
	fail_msg("%s, host call %u (%s, errno %d) failed, mode %d: %s",
		 scenario->name, run.plan.n,
		 run.result.failed ? fault_call_name(run.result.call) : "none",
		 run.result.error, (int)run.plan.mode, what);
}

/* --- operations -------------------------------------------------------------------- */

/* The free list is empty, so slots are made: two, as nine have been. */
static int take_new(void)
{
	if (vms_stacks_take(pool, "new", &run.stacks[run.taken]) != 0)
		return -1;
	run.taken++;
	return 0;
}

static int give_one(void)
{
	if (vms_stacks_give(pool, &run.stacks[run.taken - 1]) != 0)
		return -1;
	run.taken--;
	return 0;
}

static int give_and_collect(void)
{
	return give_one() != 0 || vms_stacks_collect(pool, 0) != 0 ||
		vms_stacks_collect(pool, VMS_STACKS_COLLECT_ALL) != 0 ? -1 : 0;
}

static int depth(void)
{
	size_t bytes;

	return vms_stacks_high_water(pool, &run.stacks[0], &bytes);
}

static int figures(void)
{
	struct vms_stacks_stats stats = { .struct_size = sizeof(stats) };

	return vms_stacks_get_stats(pool, &stats);
}

static int watch(void)
{
	return vms_stacks_watch_thread(pool);
}

static int close_it(void)
{
	if (vms_stacks_close(pool) != 0)
		return -1;
	pool = NULL;
	return 0;
}

static const struct scenario scenarios[] = {
	{ "take", 0, take_new, 1 },
	{ "take, not charged", VMS_STACKS_NORESERVE, take_new, 1 },
	{ "give", 0, give_one, -1 },
	{ "give, cleared", VMS_STACKS_CLEARED, give_one, -1 },
	{ "collect", 0, give_and_collect, -1 },
	{ "depth", 0, depth, 0 },
	{ "depth, cleared", VMS_STACKS_CLEARED, depth, 0 },
	{ "figures", 0, figures, 0 },
	{ "watch", 0, watch, 1 },
	{ "close", 0, close_it, 0 },
};

#define SCENARIOS (sizeof(scenarios) / sizeof(*scenarios))

/* --- what must hold ---------------------------------------------------------------- */

static struct vms_space_stats space_stats(void)
{
	struct vms_space_stats stats = { .struct_size = sizeof(stats) };

	assert_int_equal(vms_space_get_stats(run.space, &stats), 0);
	return stats;
}

static void expect_sound(const struct scenario *scenario)
{
	const char *unsound = vmsi_space_check(run.space);

	if (unsound)
		wrong(scenario, unsound);
	if (!pool && (space_stats().mapped || space_stats().committed))
		wrong(scenario, "something of it is left");
	if (pool && !(scenario->flags & VMS_STACKS_NORESERVE) &&
	    space_stats().committed != pool_stats().committed)
		wrong(scenario, "the ledger is not right");
}

static void expect_usable(void)
{
	vms_stack stack;

	for (size_t i = 0; i < run.taken; i++)
		memset(run.stacks[i].base, 1, run.stacks[i].size);
	for (int i = 0; i < 5; i++) {
		stack = take();
		assert_guarded(&stack);
	}
}

/* --- runs -------------------------------------------------------------------------- */

static void drop_signal_stack(void)
{
	assert_int_equal(sigaltstack(&(stack_t){ .ss_flags = SS_DISABLE }, NULL),
			 0);
}

static void begin_run(const struct scenario *scenario)
{
	struct vms_stacks_options options = { .flags = scenario->flags };

	drop_signal_stack();
	run.space = vms_space_open(4 * COUNT * SIZE, NULL);
	assert_non_null(run.space);
	options.space = run.space;
	open_pool(COUNT, SIZE, &options);
	for (run.taken = 0; run.taken < TAKEN_BEFORE; run.taken++) {
		run.stacks[run.taken] = take();
		memset(run.stacks[run.taken].base, 1, SIZE);
	}
}

static void end_run(const struct scenario *scenario)
{
	drop_signal_stack();
	assert_int_equal(vms_stacks_close(pool), 0);
	pool = NULL;
	expect_sound(scenario);
	assert_int_equal(vms_space_close(run.space), 0);
	(void)fault_sweep_refused(0, 0);
}

static void try(const struct scenario *scenario)
{
	size_t before, made;
	int status;

	begin_run(scenario);
	before = pool_stats().taken;
	made = pool_stats().made;
	errno = ERRNO_BEFORE;
	fault_begin(&run.plan);
	status = scenario->act();
	run.result = fault_end();
	if (status == 0 && errno != ERRNO_BEFORE)
		wrong(scenario, "a success has changed errno");
	if (pool && pool_stats().taken !=
			    before + (status == 0 ? (size_t)scenario->taken : 0))
		wrong(scenario, "so many are not taken");
	if (pool && status != 0 && scenario->act == take_new &&
	    pool_stats().made != made)
		wrong(scenario, "some were made by a call that failed");
	expect_sound(scenario);
	if (pool)
		expect_usable();
	end_run(scenario);
}

/* A process installs its handler of SIGSEGV once, so each try of that has its own. */
static void try_apart(const struct scenario *scenario)
{
	int results[2];
	int status;
	pid_t child;

	assert_int_equal(pipe(results), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		try(scenario);
		_exit(write(results[1], &run.result, sizeof(run.result)) !=
		      sizeof(run.result));
	}
	(void)close(results[1]);
	if (read(results[0], &run.result, sizeof(run.result)) !=
	    (ssize_t)sizeof(run.result))
		fail_msg("%s: see above", scenario->name);
	(void)close(results[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void sweep(const struct scenario *scenario)
{
	for (enum fault_errno which = 0; which < FAULT_ERRNOS; which++)
		for (enum fault_mode mode = FAULT_ONCE;
		     mode <= FAULT_DESTROYING; mode++)
			for (run.plan.n = 1; run.plan.n < CALLS_MAX;
			     run.plan.n++) {
				run.plan.mode = mode;
				run.plan.which = which;
				if (scenario->act == watch)
					try_apart(scenario);
				else
					try(scenario);
				if (run.result.calls < run.plan.n)
					break;
			}
}

static void every_host_call_is_failed(void **state)
{
	(void)state;
	for (size_t i = 0; i < SCENARIOS; i++)
		sweep(&scenarios[i]);
}

/* --- opening ----------------------------------------------------------------------- */

/* The handlers of fork visit each pool that is known. */
static void fork_once(void)
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0)
		_exit(0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

/* What is left of a pool that was not opened are mappings, in the space or outside. */
static bool fail_opening(bool own)
{
	struct vms_stacks_options options = {
		.struct_size = sizeof(options), .space = own ? NULL : run.space,
	};

	fault_begin(&run.plan);
	pool = vms_stacks_open(COUNT, SIZE, &options);
	run.result = fault_end();
	if (pool) {
		const vms_stack stack = take();

		assert_guarded(&stack);
		assert_int_equal(vms_stacks_close(pool), 0);
		pool = NULL;
	} else {
		assert_true(errno == ENOMEM || errno == EAGAIN);
		fork_once();
	}
	if (space_stats().mapped)
		fail_msg("open, call %u (%s): the space has something of it",
			 run.plan.n, fault_call_name(run.result.call));
	(void)fault_sweep_refused(0, 0);
	return run.result.calls >= run.plan.n;
}

static void sweep_opening(bool own, enum fault_mode mode)
{
	run.plan.mode = mode;
	for (run.plan.which = 0; run.plan.which < FAULT_ERRNOS; run.plan.which++)
		for (run.plan.n = 1; run.plan.n < CALLS_MAX; run.plan.n++)
			if (!fail_opening(own))
				break;
}

/* Sanitizers map something now and then; an attempt that leaves a mapping adds up. */
#define MAPPINGS_OF_OTHERS 20

static void opening(void **state)
{
	(void)state;
	run.space = vms_space_open(4 * COUNT * SIZE, NULL);
	assert_non_null(run.space);
	for (int own = 0; own < 2; own++) {
		const size_t before = mappings();

		sweep_opening(own, FAULT_ONCE);
		assert_true(mappings() <= before + MAPPINGS_OF_OTHERS);
		/* Now a space of its own cannot be closed either. */
		sweep_opening(own, FAULT_FROM);
	}
	assert_int_equal(vms_space_close(run.space), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		/* First: that the host has guards is found out once. */
		cmocka_unit_test(opening),
		cmocka_unit_test(every_host_call_is_failed),
	};
	int failed;

	fault_install();
	failed = cmocka_run_group_tests_name("stacks_sweep", tests, NULL, NULL);
	fault_remove();
	return failed;
}
