/* SPDX-License-Identifier: MIT */
#include <signal.h>
#include <time.h>

#include <vmspace/share_lock.h>

#include "share/layout.h"
#include "share/share.h"
#include "share_steps.h"

/*
 * Processes that use a share and its locks end by SIGKILL at each of their accesses to
 * the words that they share, and at each call of the host, in turn. The others go on.
 */

#define FOR_EVER UINT64_MAX
#define LONG_NANOSECONDS ((uint64_t)60 * 1000000000u)

struct shared {
	vms_share_lock lock;
	vms_share_event event;
	vms_share_condition condition;
	uint64_t count, check;        /* equal while nobody has the lock */
	uint32_t flag;                /* guarded by the lock */
	_Atomic uint32_t has_begun;   /* how many wait, or are about to */
};

static struct shared *shared_in(vms_share *share)
{
	return vms_share_base(share);
}

static void count_in_lock(struct shared *shared)
{
	shared->count++;
	kill_step();
	shared->check++;
}

/* Take the lock and put in order what the dead have left. Returns what taking did. */
static int take_and_mend(vms_share *share)
{
	struct shared *shared = shared_in(share);
	const int taken = vms_share_lock_take(share, &shared->lock, LONG_NANOSECONDS);

	assert_true(taken >= 0);
	if (taken == 0)
		assert_int_equal(shared->count, shared->check);
	if (taken == 1) {
		shared->check = shared->count;
		worked(vms_share_lock_recovered(share, &shared->lock));
	}
	return taken;
}

/* The lock is as good as new. */
static void must_go_on(vms_share *share)
{
	struct shared *shared = shared_in(share);

	(void)take_and_mend(share);
	worked(vms_share_lock_release(share, &shared->lock));
	assert_int_equal(vms_share_lock_take(share, &shared->lock, 0), 0);
	assert_int_equal(shared->count, shared->check);
	worked(vms_share_lock_release(share, &shared->lock));
}

/* --- the lock ---------------------------------------------------------------------------- */

static void take_and_release(vms_share *share)
{
	struct shared *shared = shared_in(share);

	for (int i = 0; i < 2; i++) {
		const int taken = vms_share_lock_take(share, &shared->lock, FOR_EVER);

		child_needs(taken >= 0);
		if (taken == 1) {
			shared->check = shared->count;
			child_needs(vms_share_lock_recovered(share, &shared->lock) == 0);
		}
		child_needs(shared->count == shared->check);
		count_in_lock(shared);
		child_needs(vms_share_lock_release(share, &shared->lock) == 0);
	}
}

static void owners_die_at_each_step(void **state)
{
	bool killed = true;

	(void)state;
	for (unsigned steps = 1; killed; steps++) {
		vms_share *share = must_create(4096, 8192);
		const pid_t child = fork_stepped(steps);

		if (child == 0) {
			take_and_release(share);
			_exit(0);
		}
		killed = was_killed(child);
		must_go_on(share);
		worked(vms_share_close(share));
	}
}

/* A process that waits for the lock, and has it some time. */
static pid_t begin_to_take(vms_share *share, unsigned steps)
{
	const pid_t child = fork_stepped(steps);

	if (child == 0) {
		atomic_fetch_add(&shared_in(share)->has_begun, 1);
		take_and_release(share);
		_exit(0);
	}
	return child;
}

static bool is_running(pid_t child)
{
	siginfo_t info = { .si_pid = 0 };

	assert_int_equal(waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG | WNOWAIT), 0);
	return info.si_pid == 0;
}

/* Until so many have begun to wait, or the one that may die has died. */
static void await(const struct shared *shared, uint32_t count, pid_t mortal)
{
	const struct timespec moment = { .tv_nsec = 1000000 };

	while (atomic_load(&shared->has_begun) < count && is_running(mortal))
		(void)sched_yield();
	(void)nanosleep(&moment, NULL);
}

/* Two wait for a third; one of them dies. The other one gets the lock, whoever was woken. */
static void waiters_die_at_each_step(void **state)
{
	bool killed = true;

	(void)state;
	for (unsigned steps = 1; killed; steps++) {
		vms_share *share = must_create(4096, 8192);
		struct shared *shared = shared_in(share);
		pid_t child, other;

		assert_int_equal(vms_share_lock_take(share, &shared->lock, 0), 0);
		child = begin_to_take(share, steps);
		other = begin_to_take(share, 0);
		await(shared, 2, child);
		count_in_lock(shared);
		worked(vms_share_lock_release(share, &shared->lock));
		assert_false(was_killed(other));
		killed = was_killed(child);
		must_go_on(share);
		worked(vms_share_close(share));
	}
}

/* A lock whose owner has died, with the contents half changed. */
static vms_share *share_of_the_dead(void)
{
	vms_share *share = must_create(4096, 8192);
	struct shared *shared = shared_in(share);
	const pid_t child = fork_stepped(0);

	if (child == 0) {
		child_needs(vms_share_lock_take(share, &shared->lock, 0) == 0);
		shared->count++;
		(void)raise(SIGKILL);
	}
	assert_true(was_killed(child));
	return share;
}

static void heirs_die_at_each_step(void **state)
{
	bool killed = true;

	(void)state;
	for (unsigned steps = 1; killed; steps++) {
		vms_share *share = share_of_the_dead();
		const pid_t child = fork_stepped(steps);

		if (child == 0) {
			take_and_release(share);
			_exit(0);
		}
		killed = was_killed(child);
		must_go_on(share);
		worked(vms_share_close(share));
	}
}

/* Nobody is told that all is well with what an heir has left as it was. */
static void careless_heirs_die_at_each_step(void **state)
{
	bool killed = true;

	(void)state;
	for (unsigned steps = 1; killed; steps++) {
		vms_share *share = share_of_the_dead();
		struct shared *shared = shared_in(share);
		const pid_t child = fork_stepped(steps);
		int taken;

		if (child == 0) {
			child_needs(vms_share_lock_take(share, &shared->lock, 0) == 1);
			child_needs(vms_share_lock_release(share, &shared->lock) == 0);
			_exit(0);
		}
		killed = was_killed(child);
		taken = vms_share_lock_take(share, &shared->lock, LONG_NANOSECONDS);
		assert_true(taken == 1 || (taken == -1 && errno == ENOTRECOVERABLE));
		if (!killed)
			assert_int_equal(taken, -1);
		if (taken == -1)
			refused(vms_share_lock_take(share, &shared->lock, LONG_NANOSECONDS),
				ENOTRECOVERABLE);
		worked(vms_share_close(share));
	}
}

/* --- events and conditions ------------------------------------------------------------------ */

/* Who has set it and died before it woke anybody has set it. */
static void setters_die_at_each_step(void **state)
{
	bool killed = true;

	(void)state;
	for (unsigned steps = 1; killed; steps++) {
		vms_share *share = must_create(4096, 8192);
		struct shared *shared = shared_in(share);
		const pid_t other = fork_stepped(0);
		pid_t child;

		if (other == 0) {
			atomic_store(&shared->has_begun, 1);
			_exit(vms_share_event_wait(share, &shared->event, FOR_EVER) != 0);
		}
		await(shared, 1, other);
		child = fork_stepped(steps);
		if (child == 0) {
			child_needs(vms_share_event_set(share, &shared->event) == 0);
			child_needs(vms_share_event_reset(share, &shared->event) == 0);
			_exit(0);
		}
		killed = was_killed(child);
		if (shared->event.state == 0)
			worked(vms_share_event_set(share, &shared->event));
		assert_false(was_killed(other));
		worked(vms_share_close(share));
	}
}

/* Wait until the flag is there, mending what the dead have left. */
static void wait_for_flag(vms_share *share)
{
	struct shared *shared = shared_in(share);
	int taken = vms_share_lock_take(share, &shared->lock, FOR_EVER);

	atomic_fetch_add(&shared->has_begun, 1);
	for (;;) {
		child_needs(taken >= 0);
		if (taken == 1) {
			shared->check = shared->count;
			child_needs(vms_share_lock_recovered(share, &shared->lock) == 0);
		}
		child_needs(shared->count == shared->check);
		if (shared->flag)
			break;
		taken = vms_share_condition_wait(share, &shared->condition, &shared->lock,
						 FOR_EVER);
	}
	child_needs(vms_share_lock_release(share, &shared->lock) == 0);
}

static pid_t begin_to_wait(vms_share *share, unsigned steps)
{
	const pid_t child = fork_stepped(steps);

	if (child == 0) {
		wait_for_flag(share);
		_exit(0);
	}
	return child;
}

static void signal_flag(vms_share *share)
{
	struct shared *shared = shared_in(share);

	count_in_lock(shared);
	shared->flag = 1;
	child_needs(vms_share_condition_signal(share, &shared->condition) == 0);
}

/* Who takes the lock next knows that a signaller has died, and signals in its place. */
static void signallers_die_at_each_step(void **state)
{
	bool killed = true;

	(void)state;
	for (unsigned steps = 1; killed; steps++) {
		vms_share *share = must_create(4096, 8192);
		struct shared *shared = shared_in(share);
		const pid_t other = begin_to_wait(share, 0);
		pid_t child;

		await(shared, 1, other);
		child = fork_stepped(steps);
		if (child == 0) {
			child_needs(vms_share_lock_take(share, &shared->lock, FOR_EVER) == 0);
			signal_flag(share);
			child_needs(vms_share_lock_release(share, &shared->lock) == 0);
			_exit(0);
		}
		killed = was_killed(child);
		if (take_and_mend(share) == 1 || !shared->flag)
			signal_flag(share);
		worked(vms_share_lock_release(share, &shared->lock));
		assert_false(was_killed(other));
		must_go_on(share);
		worked(vms_share_close(share));
	}
}

/* One signal for two who wait: where one dies with it, the other goes on. */
static void who_is_signalled_dies_at_each_step(void **state)
{
	bool killed = true;

	(void)state;
	for (unsigned steps = 1; killed; steps++) {
		vms_share *share = must_create(4096, 8192);
		struct shared *shared = shared_in(share);
		const pid_t child = begin_to_wait(share, steps);
		const pid_t other = begin_to_wait(share, 0);

		await(shared, 2, child);
		(void)take_and_mend(share);
		signal_flag(share);
		worked(vms_share_lock_release(share, &shared->lock));
		assert_false(was_killed(other));
		killed = was_killed(child);
		must_go_on(share);
		worked(vms_share_close(share));
	}
}

/* --- a peer that is always faster ---------------------------------------------------------- */

static void a_word_that_always_changes_keeps_nobody(void **state)
{
	vms_share *share = must_create(4096, 8192);
	struct shared *shared = shared_in(share);

	(void)state;
	spoil(&shared->lock.owner);
	refused(vms_share_lock_take(share, &shared->lock, 0), ETIMEDOUT);
	refused(vms_share_lock_take(share, &shared->lock, 1000000), ETIMEDOUT);
	refused(vms_share_lock_release(share, &shared->lock), EPERM);
	spoil(NULL);
	shared->lock.owner = 0;
	assert_int_equal(vms_share_lock_take(share, &shared->lock, 0), 0);
	worked(vms_share_close(share));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		step_test(owners_die_at_each_step),
		step_test(waiters_die_at_each_step),
		step_test(heirs_die_at_each_step),
		step_test(careless_heirs_die_at_each_step),
		step_test(setters_die_at_each_step),
		step_test(signallers_die_at_each_step),
		step_test(who_is_signalled_dies_at_each_step),
		cmocka_unit_test(a_word_that_always_changes_keeps_nobody),
	};

	return cmocka_run_group_tests_name("share_lock_steps", tests, NULL, NULL);
}
