/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <vmspace.h>

#include "../kernel/random.h"
#include "../unit/code_machine.h"
#include "code/check.h"

/*
 * Many threads on one pool of code: some make code, put it on a shelf, run what others
 * have put there, and free it; the others settle, name, read figures and fork.
 *
 *	code_race [--seconds SECONDS] [--seed SEED]
 *
 * The seed can also be given as VMS_SEED. A third of the time is for each mode.
 */

#define SHELF 64

static uint64_t seed;
static double seconds = 3;
static enum vms_code_mode mode;
static vms_code *code;
static atomic_bool stop;
static _Atomic(const char *) failure;

/* Whoever runs a block holds the lock for reading, whoever frees it for writing. */
static struct place {
	pthread_rwlock_t lock;
	struct vms_code_block block;
	uint32_t value;
} shelf[SHELF];

struct thread {
	pthread_t id;
	struct random random;
	_Atomic unsigned long count;
};

/* cmocka's asserts may be used in the main thread only. */
static void expect(bool condition, const char *what)
{
	const char *none = NULL;

	if (condition)
		return;
	(void)atomic_compare_exchange_strong(&failure, &none, what);
	atomic_store(&stop, true);
}

static size_t below(struct thread *thread, size_t limit)
{
	return random_below(&thread->random, limit);
}

/* --- threads that make and run code ------------------------------------------------ */

static void replace(struct thread *thread, struct place *place)
{
	const uint32_t value = (uint32_t)random_next(&thread->random);
	size_t size = below(thread, 50) ? 16 + below(thread, 2000) : 100000;
	struct vms_code_block block;

	expect(vms_code_alloc(code, size, &block) == 0, "alloc was refused");
	if (atomic_load(&stop))
		return;
	write_return(block.write, value);
	if (below(thread, 4) == 0)
		block.size = 16;
	expect(vms_code_publish(code, &block) == 0, "publish was refused");
	if (below(thread, 8) == 0)
		(void)vms_code_name(code, &block, "code of a race");
	pthread_rwlock_wrlock(&place->lock);
	expect(vms_code_free(code, &place->block) == 0, "free was refused");
	place->block = block;
	place->value = value;
	pthread_rwlock_unlock(&place->lock);
}

static void run(struct place *place)
{
	pthread_rwlock_rdlock(&place->lock);
	if (place->block.run)
		expect(call(place->block.run) == (int)place->value,
		       "other code has run");
	pthread_rwlock_unlock(&place->lock);
}

static void *run_worker(void *argument)
{
	struct thread *thread = argument;

	for (; !atomic_load(&stop); thread->count++) {
		struct place *place = &shelf[below(thread, SHELF)];

		if (below(thread, 4) == 0)
			replace(thread, place);
		else
			run(place);
	}
	return NULL;
}

/* --- the others ----------------------------------------------------------------------- */

static void *run_settler(void *argument)
{
	struct thread *thread = argument;

	for (; !atomic_load(&stop); thread->count++) {
		struct vms_code_stats stats = { .struct_size = sizeof(stats) };

		expect(vms_code_settle(code) == 0, "settle was refused");
		expect(vms_code_get_stats(code, &stats) == 0, "no figures");
		expect(stats.used <= stats.mapped, "figures do not fit");
		usleep(300);
	}
	return NULL;
}

static int use_in_child(void)
{
	struct vms_code_block block;

	if (vms_code_alloc(code, 100, &block) != 0)
		return 1;
	write_return(block.write, 5);
	return vms_code_publish(code, &block) == 0 && call(block.run) == 5 &&
		vms_code_name(code, &block, "of a child") == 0 &&
		!vmsi_code_check(code, VMSI_CHECK_RECORDS) ? 0 : 1;
}

static void *run_forker(void *argument)
{
	struct thread *thread = argument;

	for (; !atomic_load(&stop); thread->count++) {
		int status = 1;
		pid_t child = fork();

		if (child == 0) {
			alarm(3600);
			_exit(use_in_child());
		}
		expect(child > 0 && waitpid(child, &status, 0) == child &&
		       status == 0, "a child could not use its pool");
		usleep(5000);
	}
	return NULL;
}

/* --- program ------------------------------------------------------------------------- */

static void open_pool(void)
{
	const struct vms_code_options options = {
		.struct_size = sizeof(options),
		.reserve = (size_t)64 << 20,
		.mode = mode,
		.flags = VMS_CODE_GDB,
	};

	code = vms_code_open(&options);
	assert_non_null(code);
	for (int i = 0; i < SHELF; i++)
		assert_int_equal(pthread_rwlock_init(&shelf[i].lock, NULL), 0);
}

static void close_pool(void)
{
	const char *broken;

	for (int i = 0; i < SHELF; i++) {
		assert_int_equal(vms_code_free(code, &shelf[i].block), 0);
		pthread_rwlock_destroy(&shelf[i].lock);
	}
	broken = vmsi_code_check(code, VMSI_CHECK_ALL);
	if (broken)
		fail_msg("%s", broken);
	assert_int_equal(vms_code_close(code), 0);
}

static void run_threads(void)
{
	static void *(*const kinds[])(void *) = {
		run_worker, run_worker, run_worker, run_settler, run_forker,
	};
	enum { COUNT = sizeof(kinds) / sizeof(kinds[0]) };
	static struct thread threads[COUNT];
	struct timespec duration = { .tv_sec = (time_t)(seconds / 3) };

	duration.tv_nsec = (long)((seconds / 3 - (double)duration.tv_sec) * 1e9);
	for (unsigned i = 0; i < COUNT; i++) {
		threads[i].random.state = seed + 7919 * (i + 1);
		threads[i].count = 0;
		assert_int_equal(pthread_create(&threads[i].id, NULL, kinds[i],
						&threads[i]), 0);
	}
	nanosleep(&duration, NULL);
	/* However slow the machine is, each has done something. */
	for (unsigned i = 0; i < COUNT; i++)
		while (!atomic_load(&stop) &&
		       !atomic_load(&threads[i].count))
			usleep(1000);
	atomic_store(&stop, true);
	for (unsigned i = 0; i < COUNT; i++)
		pthread_join(threads[i].id, NULL);
}

static void code_is_right_whoever_makes_it(void **state)
{
	(void)state;
	print_message("# seed %llu\n", (unsigned long long)seed);
	for (mode = VMS_CODE_VIEWS; mode <= VMS_CODE_FLIPS; mode++) {
		atomic_store(&stop, false);
		open_pool();
		run_threads();
		if (failure)
			fail_msg("mode %d: %s", (int)mode, failure);
		close_pool();
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(code_is_right_whoever_makes_it),
	};
	const char *given = getenv("VMS_SEED");

	seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--seconds") == 0)
			seconds = strtod(argv[i + 1], NULL);
		else if (strcmp(argv[i], "--seed") == 0)
			seed = strtoull(argv[i + 1], NULL, 0);
	}
	return cmocka_run_group_tests_name("code_race", tests, NULL, NULL);
}
