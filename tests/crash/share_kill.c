/* SPDX-License-Identifier: MIT */
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <time.h>

#include <vmspace/share_lock.h>

#include "../unit/share_fixture.h"

/*
 * Processes that use one share and what lies in it are ended by SIGKILL at random
 * moments. The others go on, and none finds what is not to be: a count that is half
 * changed under a lock of which it was told that all is well, bytes that are new and not
 * zero, or bytes of its own that another one wrote to.
 *
 * usage: share-kill [KILLS [SEED]]
 */

#define WORKERS 4
#define BASE 4096u            /* bytes that nobody gives up */
#define PIECE 5000u
#define MAXIMUM (BASE + 40 * PIECE)
#define LONG_NANOSECONDS ((uint64_t)60 * 1000000000u)

static unsigned kills = 200;
static uint64_t seed = 11;

struct shared {
	vms_share_lock lock;
	vms_share_event event;
	vms_share_condition condition;
	uint64_t count, check;        /* equal while nobody has the lock */
};

/* What was done, by all workers; where it is told they are not killed. */
static struct told {
	_Atomic uint64_t done[WORKERS];
	_Atomic uint64_t pieces, shrunk, inherited;
} *told;

static uint64_t random_of(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static struct shared *shared_in(vms_share *share)
{
	return vms_share_base(share);
}

/* --- a worker ------------------------------------------------------------------------------ */

static void mend(vms_share *share, int taken)
{
	struct shared *shared = shared_in(share);

	child_needs(taken >= 0);
	if (taken == 1) {
		atomic_fetch_add(&told->inherited, 1);
		shared->check = shared->count;
		child_needs(vms_share_lock_recovered(share, &shared->lock) == 0);
	}
	child_needs(shared->count == shared->check);
}

static void count_in_lock(vms_share *share, uint64_t choice)
{
	struct shared *shared = shared_in(share);
	int taken;

	mend(share, vms_share_lock_take(share, &shared->lock, UINT64_MAX));
	shared->count++;
	/* Some take their time, so that more die with the lock. */
	for (uint64_t i = choice % 8 == 2 ? 300000 : choice % 1000; i > 0; i--)
		__asm__ volatile("" ::: "memory");
	shared->check++;
	if (choice % 4 == 0)
		child_needs(vms_share_condition_broadcast(share, &shared->condition) == 0);
	if (choice % 16 == 1) {
		taken = vms_share_condition_wait(share, &shared->condition, &shared->lock,
						 choice % 1000000);
		/* The lock was not to be had for a second: this machine has more to do. */
		if (taken == -1 && errno == EBUSY)
			return;
		mend(share, taken == -1 && errno == ETIMEDOUT ? 0 : taken);
	}
	child_needs(vms_share_lock_release(share, &shared->lock) == 0);
}

/* Bytes that nobody else has: they are zero, and stay as they are written. */
static void have_a_piece(vms_share *share, uint64_t choice)
{
	uint64_t *words, at;

	if (vms_share_extend(share, PIECE, &at) != 0) {
		child_needs(errno == EAGAIN || errno == EFBIG);
		return;
	}
	words = vms_share_at(share, at, PIECE);
	child_needs(words);
	for (size_t i = 0; i < PIECE / sizeof(*words); i++) {
		child_needs(words[i] == 0);
		words[i] = choice + i;
	}
	(void)sched_yield();
	for (size_t i = 0; i < PIECE / sizeof(*words); i++)
		child_needs(words[i] == choice + i);
	child_needs(vms_share_use(share, BASE) == 0);
	atomic_fetch_add(&told->pieces, 1);
}

static void give_back(vms_share *share)
{
	if (vms_share_shrink(share, BASE) == 0)
		atomic_fetch_add(&told->shrunk, 1);
	else
		child_needs(errno == EBUSY);
}

static void set_and_reset(vms_share *share, uint64_t choice)
{
	struct shared *shared = shared_in(share);

	if (choice % 2)
		child_needs(vms_share_event_set(share, &shared->event) == 0);
	else
		child_needs(vms_share_event_reset(share, &shared->event) == 0);
	if (vms_share_event_wait(share, &shared->event, choice % 100000) != 0)
		child_needs(errno == ETIMEDOUT);
}

/* Another attachment, and the child of a fork, come and go. */
static void attach_again(vms_share *share, uint64_t choice)
{
	vms_share *other = vms_share_attach(vms_share_fd(share), NULL);
	int status;
	pid_t child;

	if (!other) {
		child_needs(errno == EAGAIN);
		return;
	}
	child_needs(vms_share_use(other, BASE) == 0);
	if (choice % 4 == 0) {
		child = fork();
		if (child == 0)
			_exit(vms_share_close(other) != 0);
		child_needs(waitpid(child, &status, 0) == child && status == 0);
	}
	count_in_lock(other, choice);
	child_needs(vms_share_close(other) == 0);
}

static void do_something(vms_share *share, uint64_t choice)
{
	switch (choice % 16) {
	case 0:
		attach_again(share, choice >> 8);
		return;
	case 1:
	case 2:
		give_back(share);
		return;
	case 3:
	case 4:
	case 5:
	case 6:
		have_a_piece(share, choice);
		return;
	case 7:
		set_and_reset(share, choice >> 8);
		return;
	default:
		count_in_lock(share, choice >> 8);
	}
}

static _Noreturn void work_for_ever(vms_share *share, unsigned number, uint64_t state)
{
	vms_share *own;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	do {
		own = vms_share_attach(vms_share_fd(share), NULL);
		child_needs(own || errno == EAGAIN);
	} while (!own);
	child_needs(vms_share_use(own, BASE) == 0 && vms_share_close(share) == 0);
	for (;;) {
		do_something(own, random_of(&state));
		atomic_fetch_add(&told->done[number], 1);
	}
}

/* --- who kills them ------------------------------------------------------------------------ */

static pid_t workers[WORKERS];

static void begin_worker(vms_share *share, unsigned number)
{
	const uint64_t state = random_of(&seed);

	workers[number] = fork();
	assert_true(workers[number] >= 0);
	if (workers[number] == 0)
		work_for_ever(share, number, state);
}

static void end_worker(unsigned number)
{
	int status;

	assert_int_equal(kill(workers[number], SIGKILL), 0);
	assert_int_equal(waitpid(workers[number], &status, 0), workers[number]);
	/* Else it has found something, in the line of this file. */
	if (WIFEXITED(status))
		fail_msg("line %d, or 255 more", WEXITSTATUS(status) - 1);
	assert_int_equal(WTERMSIG(status), SIGKILL);
}

static uint64_t now(void)
{
	struct timespec time;

	assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &time), 0);
	return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* All that live do something more, and one can take the lock. */
static void must_go_on(vms_share *share)
{
	const uint64_t end = now() + LONG_NANOSECONDS;
	struct shared *shared = shared_in(share);
	int taken;

	for (unsigned i = 0; i < WORKERS; i++) {
		const uint64_t done = atomic_load(&told->done[i]);

		while (workers[i] && atomic_load(&told->done[i]) == done) {
			int status;

			/* One that has ended has found something. */
			if (waitpid(workers[i], &status, WNOHANG) != 0)
				fail_msg("worker %u, status %x", i, status);
			if (now() > end)
				fail_msg("worker %u does not go on", i);
			(void)sched_yield();
		}
	}
	taken = vms_share_lock_take(share, &shared->lock, LONG_NANOSECONDS);
	assert_true(taken == 1 || (taken == 0 && shared->count == shared->check));
	shared->check = shared->count;
	worked(vms_share_lock_recovered(share, &shared->lock));
	worked(vms_share_lock_release(share, &shared->lock));
}

static void processes_are_killed_at_random(void **state)
{
	vms_share *share = must_create(BASE, MAXIMUM);
	const uint64_t first_seed = seed;
	uint64_t choice = seed;

	(void)state;
	worked(vms_share_use(share, BASE));
	for (unsigned i = 0; i < WORKERS; i++)
		begin_worker(share, i);
	for (unsigned k = 0; k < kills; k++) {
		const unsigned i = (unsigned)(random_of(&choice) % WORKERS);
		const struct timespec moment = {
			.tv_nsec = (long)(random_of(&choice) % 3000000) };

		(void)nanosleep(&moment, NULL);
		end_worker(i);
		workers[i] = 0;
		if (k % 8 == 0)
			must_go_on(share);
		begin_worker(share, i);
	}
	must_go_on(share);
	for (unsigned i = 0; i < WORKERS; i++)
		end_worker(i);
	while (vms_share_shrink(share, BASE) != 0)
		assert_int_equal(errno, EBUSY);
	assert_true(stats_of(share).allocated <= 2 * BASE);
	worked(vms_share_close(share));
	/* Few die with the lock, as it is held for moments: of very many, some do. */
	if (kills >= 10000)
		assert_true(told->inherited > 0);
	printf("# %u kills, seed %llu: %llu pieces, %llu times shrunk, %llu locks of the dead\n",
	       kills, (unsigned long long)first_seed, (unsigned long long)told->pieces,
	       (unsigned long long)told->shrunk, (unsigned long long)told->inherited);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(processes_are_killed_at_random),
	};

	if (argc > 1)
		kills = (unsigned)strtoul(argv[1], NULL, 10);
	if (argc > 2)
		seed = strtoull(argv[2], NULL, 10);
	told = mmap(NULL, sizeof(*told), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (told == MAP_FAILED)
		return 1;
	return cmocka_run_group_tests_name("share_kill", tests, NULL, NULL);
}
