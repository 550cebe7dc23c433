/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#include <vmspace/offset.h>
#include <vmspace/share_lock.h>

#include "share_fixture.h"

/* Locks, events and conditions between processes, some of which die. */

#define FOR_EVER UINT64_MAX
#define LONG_NANOSECONDS ((uint64_t)60 * 1000000000u)

struct shared {
	vms_share_lock lock;
	vms_share_event event, begun;
	vms_share_condition condition;
	uint64_t count, check;
};

static struct shared *shared_in(vms_share *share)
{
	return vms_share_at(share, 0, sizeof(struct shared));
}

static void has_one_owner(void **state)
{
	vms_share *share = must_create(4096, 8192);
	vms_share *other = must_attach(share);
	struct shared *mine = shared_in(share);
	struct shared *its = shared_in(other);

	(void)state;
	assert_int_equal(vms_share_lock_take(share, &mine->lock, 0), 0);
	refused(vms_share_lock_take(other, &its->lock, 0), ETIMEDOUT);
	refused(vms_share_lock_take(other, &its->lock, 1000000), ETIMEDOUT);
	refused(vms_share_lock_release(other, &its->lock), EPERM);
	refused(vms_share_lock_recovered(other, &its->lock), EPERM);
	worked(vms_share_lock_release(share, &mine->lock));
	refused(vms_share_lock_release(share, &mine->lock), EPERM);
	assert_int_equal(vms_share_lock_take(other, &its->lock, FOR_EVER), 0);
	worked(vms_share_lock_release(other, &its->lock));
	refused(vms_share_lock_take(share, &its->lock, 0), EINVAL);
	refused(vms_share_lock_take(share, (void *)((char *)mine + 1), 0), EINVAL);
	worked(vms_share_close(other));
	worked(vms_share_close(share));
}

static void who_reads_only_takes_none(void **state)
{
	vms_share *share = must_create(4096, 8192);
	vms_share *reader = attach_with(vms_share_fd(share), VMS_SHARE_READ_ONLY);
	struct shared *its = shared_in(reader);

	(void)state;
	refused(vms_share_lock_take(reader, &its->lock, 0), EPERM);
	refused(vms_share_event_set(reader, &its->event), EPERM);
	refused(vms_share_condition_signal(reader, &its->condition), EPERM);
	worked(vms_share_close(reader));
	worked(vms_share_close(share));
}

/* --- many -------------------------------------------------------------------------------- */

#define PROCESSES 4
#define THREADS 2
#define TURNS 2000

static vms_share *own;

static void *count_in_turn(void *failed)
{
	struct shared *shared = shared_in(own);

	for (int i = 0; i < TURNS; i++) {
		if (vms_share_lock_take(own, &shared->lock, FOR_EVER) != 0)
			return failed;
		shared->count++;
		shared->check += shared->count;
		if (vms_share_lock_release(own, &shared->lock) != 0)
			return failed;
	}
	return NULL;
}

static int count_in_threads(int fd)
{
	pthread_t threads[THREADS];
	void *failed = NULL;
	int result = 0;

	own = vms_share_attach(fd, NULL);
	if (!own)
		return 1;
	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, count_in_turn, &own) != 0)
			return 2;
	for (int i = 0; i < THREADS; i++) {
		(void)pthread_join(threads[i], &failed);
		if (failed)
			result = 3;
	}
	return result;
}

static void nobody_is_in_with_another(void **state)
{
	const uint64_t turns = (uint64_t)PROCESSES * THREADS * TURNS;
	vms_share *share = must_create(4096, 8192);
	pid_t children[PROCESSES];

	(void)state;
	for (int i = 0; i < PROCESSES; i++) {
		children[i] = fork();
		if (children[i] == 0)
			_exit(count_in_threads(vms_share_fd(share)));
	}
	for (int i = 0; i < PROCESSES; i++)
		must_end_well(children[i]);
	assert_int_equal(shared_in(share)->count, turns);
	assert_int_equal(shared_in(share)->check, turns * (turns + 1) / 2);
	worked(vms_share_close(share));
}

/* --- owners who die ------------------------------------------------------------------------ */

/* A process that takes the lock, says so, and is killed. */
static void die_with_the_lock(vms_share *share)
{
	struct shared *shared = shared_in(share);
	const pid_t child = fork();

	if (child == 0) {
		child_needs(vms_share_lock_take(share, &shared->lock, FOR_EVER) >= 0);
		child_needs(vms_share_event_set(share, &shared->begun) == 0);
		for (;;)
			(void)pause();
	}
	worked(vms_share_event_wait(share, &shared->begun, LONG_NANOSECONDS));
	worked(vms_share_event_reset(share, &shared->begun));
	refused(vms_share_lock_take(share, &shared->lock, 0), ETIMEDOUT);
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

static void the_death_of_its_owner_is_told(void **state)
{
	vms_share *share = must_create(4096, 8192);
	struct shared *shared = shared_in(share);

	(void)state;
	die_with_the_lock(share);
	assert_int_equal(vms_share_lock_take(share, &shared->lock,
					     LONG_NANOSECONDS), 1);
	worked(vms_share_lock_recovered(share, &shared->lock));
	worked(vms_share_lock_release(share, &shared->lock));
	assert_int_equal(vms_share_lock_take(share, &shared->lock, 0), 0);
	worked(vms_share_lock_release(share, &shared->lock));
	/* Twice in a row, and the slot was another's meanwhile. */
	die_with_the_lock(share);
	die_with_the_lock(share);
	assert_int_equal(vms_share_lock_take(share, &shared->lock,
					     LONG_NANOSECONDS), 1);
	worked(vms_share_lock_release(share, &shared->lock));
	refused(vms_share_lock_take(share, &shared->lock, LONG_NANOSECONDS),
		ENOTRECOVERABLE);
	refused(vms_share_lock_take(share, &shared->lock, 0), ENOTRECOVERABLE);
	worked(vms_share_close(share));
}

static void who_closes_with_it_is_dead(void **state)
{
	vms_share *share = must_create(4096, 8192);
	vms_share *other = must_attach(share);

	(void)state;
	assert_int_equal(vms_share_lock_take(other, &shared_in(other)->lock, 0), 0);
	worked(vms_share_close(other));
	/* Its slot is taken by the next one. */
	other = must_attach(share);
	assert_int_equal(vms_share_lock_take(other, &shared_in(other)->lock,
					     LONG_NANOSECONDS), 1);
	worked(vms_share_close(other));
	worked(vms_share_close(share));
}

#define MURDERS 100

static _Noreturn void work_for_ever(int fd)
{
	own = vms_share_attach(fd, NULL);
	for (;;) {
		struct shared *shared = shared_in(own);
		const int taken = vms_share_lock_take(own, &shared->lock, FOR_EVER);

		if (taken < 0)
			_exit(1);
		/* Who has died in between has counted one of the two. */
		if (taken == 1) {
			shared->check = shared->count;
			(void)vms_share_lock_recovered(own, &shared->lock);
		}
		if (shared->count != shared->check)
			_exit(2);
		shared->count++;
		shared->check++;
		(void)vms_share_lock_release(own, &shared->lock);
	}
}

/* Killed at any moment, of which nobody tells: the others go on. */
static void goes_on_whoever_is_killed(void **state)
{
	vms_share *share = must_create(4096, 8192);
	struct shared *shared = shared_in(share);
	pid_t children[3] = { 0 };
	uint64_t before;
	int status;

	(void)state;
	for (int i = 0; i < MURDERS; i++) {
		pid_t *child = &children[i % 3];

		if (*child) {
			assert_int_equal(kill(*child, SIGKILL), 0);
			assert_int_equal(waitpid(*child, &status, 0), *child);
			assert_true(WIFSIGNALED(status));
		}
		*child = fork();
		if (*child == 0)
			work_for_ever(vms_share_fd(share));
		before = __atomic_load_n(&shared->count, __ATOMIC_RELAXED);
		while (__atomic_load_n(&shared->count, __ATOMIC_RELAXED) < before + 20)
			(void)sched_yield();
	}
	for (int i = 0; i < 3; i++) {
		assert_int_equal(kill(children[i], SIGKILL), 0);
		assert_int_equal(waitpid(children[i], &status, 0), children[i]);
		assert_true(WIFSIGNALED(status));
	}
	worked(vms_share_close(share));
}

/* Another process writes what it likes into the words. */
static void nonsense_is_no_crash_and_no_hang(void **state)
{
	vms_share *share = must_create(4096, 8192);
	struct shared *shared = shared_in(share);
	const pid_t child = fork();
	unsigned seed = 7;

	(void)state;
	if (child == 0)
		for (;;) {
			shared->lock.owner = (uint32_t)rand_r(&seed) * 3u;
			shared->lock.state = (uint32_t)rand_r(&seed) % 4;
			shared->event.state = (uint32_t)rand_r(&seed) % 2;
			shared->condition.sequence = (uint32_t)rand_r(&seed);
		}
	for (int i = 0; i < 2000; i++) {
		const int taken = vms_share_lock_take(share, &shared->lock, 100000);

		/* Such a peer may keep the lock for a second. */
		if (taken >= 0 && i % 500 == 1)
			(void)vms_share_condition_wait(share, &shared->condition,
						       &shared->lock, 100000);
		(void)vms_share_lock_recovered(share, &shared->lock);
		(void)vms_share_lock_release(share, &shared->lock);
		(void)vms_share_event_wait(share, &shared->event, 100000);
	}
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	worked(vms_share_close(share));
}

/* --- events and conditions ---------------------------------------------------------------- */

static void an_event_lets_all_go_on(void **state)
{
	vms_share *share = must_create(4096, 8192);
	struct shared *shared = shared_in(share);
	pid_t children[PROCESSES];

	(void)state;
	refused(vms_share_event_wait(share, &shared->event, 0), ETIMEDOUT);
	refused(vms_share_event_wait(share, &shared->event, 1000000), ETIMEDOUT);
	for (int i = 0; i < PROCESSES; i++) {
		children[i] = fork();
		if (children[i] == 0)
			_exit(vms_share_event_wait(share, &shared->event,
						   LONG_NANOSECONDS) ? 1 : 0);
	}
	worked(vms_share_event_set(share, &shared->event));
	for (int i = 0; i < PROCESSES; i++)
		must_end_well(children[i]);
	worked(vms_share_event_wait(share, &shared->event, 0));
	worked(vms_share_event_reset(share, &shared->event));
	refused(vms_share_event_wait(share, &shared->event, 0), ETIMEDOUT);
	worked(vms_share_close(share));
}

/* Two processes hand a number to and fro. */
static int take_turns(vms_share *share, uint64_t parity)
{
	struct shared *shared = shared_in(share);

	if (vms_share_lock_take(share, &shared->lock, FOR_EVER) != 0)
		return 1;
	while (shared->count < 1000) {
		if (shared->count % 2 == parity) {
			shared->count++;
			if (vms_share_condition_broadcast(share, &shared->condition))
				return 2;
		} else if (vms_share_condition_wait(share, &shared->condition,
						    &shared->lock, FOR_EVER) != 0) {
			return 3;
		}
	}
	return vms_share_lock_release(share, &shared->lock) ? 4 : 0;
}

static void a_condition_is_waited_for(void **state)
{
	vms_share *share = must_create(4096, 8192);
	struct shared *shared = shared_in(share);
	pid_t child;

	(void)state;
	refused(vms_share_condition_wait(share, &shared->condition, &shared->lock, 0),
		EPERM);
	assert_int_equal(vms_share_lock_take(share, &shared->lock, 0), 0);
	refused(vms_share_condition_wait(share, &shared->condition, &shared->lock,
					 1000), ETIMEDOUT);
	worked(vms_share_lock_release(share, &shared->lock));
	child = fork();
	if (child == 0)
		_exit(take_turns(share, 1));
	assert_int_equal(take_turns(share, 0), 0);
	must_end_well(child);
	assert_int_equal(shared->count, 1000);
	worked(vms_share_close(share));
}

/* --- offset pointers ----------------------------------------------------------------------- */

struct node {
	vms_offset(struct node) next;
	int value;
};

static void offsets_hold_at_any_address(void **state)
{
	vms_share *share = must_create(4096, 8192);
	vms_share *other = must_attach(share);
	struct node *nodes = vms_share_base(share);
	const struct node *node = vms_share_base(other);
	struct node *last = &nodes[9];
	int sum = 0;

	(void)state;
	for (int i = 0; i < 10; i++) {
		nodes[i].value = i;
		vms_offset_set(&nodes[i].next, &nodes[i + 1]);
	}
	vms_offset_set(&last->next, NULL);
	for (; node; node = vms_offset_get(&node->next))
		sum += node->value;
	assert_int_equal(sum, 45);
	vms_offset_set(&last->next, nodes);
	assert_ptr_equal(vms_offset_get(&last->next), nodes);
	/* The link of a circular list of one lies at its beginning. */
	vms_offset_set(&nodes->next, nodes);
	assert_ptr_equal(vms_offset_get(&nodes->next), nodes);
	worked(vms_share_close(other));
	worked(vms_share_close(share));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(has_one_owner),
		cmocka_unit_test(who_reads_only_takes_none),
		cmocka_unit_test(nobody_is_in_with_another),
		cmocka_unit_test(the_death_of_its_owner_is_told),
		cmocka_unit_test(who_closes_with_it_is_dead),
		cmocka_unit_test(goes_on_whoever_is_killed),
		cmocka_unit_test(nonsense_is_no_crash_and_no_hang),
		cmocka_unit_test(an_event_lets_all_go_on),
		cmocka_unit_test(a_condition_is_waited_for),
		cmocka_unit_test(offsets_hold_at_any_address),
	};

	return cmocka_run_group_tests_name("share_lock", tests, NULL, NULL);
}
