/* SPDX-License-Identifier: MIT */
#include "steps.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Makes many processes: at once, as a fork bomb, and one after the other. */

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)
#define LIFE_S 3600
#define AT_ONCE 8

/* Memory that all processes of a step see. */
static struct {
	pthread_barrier_t started, full, settled, dismissed;
	atomic_size_t tried, resolved;
	atomic_int over;     /* a futex */
	pid_t root;
	atomic_int error;    /* the first errno that nobody had to expect */
} *shared;

static void make_shared(void)
{
	shared = share(sizeof *shared);
}

static void note_error(int error)
{
	int none = 0;

	(void)atomic_compare_exchange_strong(&shared->error, &none, error);
}

static void make_barrier(pthread_barrier_t *barrier, size_t count)
{
	pthread_barrierattr_t attributes;

	pthread_barrierattr_init(&attributes);
	pthread_barrierattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
	pthread_barrier_init(barrier, &attributes, (unsigned)count);
}

/* All children; whether each has ended well. */
static int wait_for_all(void)
{
	int status, result = 0;

	while (wait(&status) > 0)
		if (status)
			result = ECHILD;
	return result ? result : shared->error;
}

static void *map(size_t bytes)
{
	return mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

/* --- all at once ---------------------------------------------------------- */

#define THREADS 3 /* of a process */
#define BLOCKS 4  /* of a thread */
#define ROUNDS 8
#define KEPT (128 * KIB)
#define THREAD_STACK (64 * KIB)

/* ENOMEM is what a tight limit answers; anything else is wrong. */
static int tight;

static void expect_answer(int failed)
{
	if (failed && !(tight && errno == ENOMEM))
		note_error(errno);
}

static size_t random_bytes(unsigned *seed)
{
	return (size_t)(1 + rand_r(seed) % 64) * 4 * KIB;
}

struct block {
	void *start;
	size_t bytes;
};

static void map_block(struct block *block, unsigned *seed)
{
	size_t bytes = random_bytes(seed);
	void *start = map(bytes);

	expect_answer(start == MAP_FAILED);
	if (start != MAP_FAILED)
		*block = (struct block){ start, bytes };
}

static void unmap_block(struct block *block)
{
	if (block->start)
		munmap(block->start, block->bytes);
	*block = (struct block){ NULL, 0 };
}

static void remap_block(struct block *block, unsigned *seed)
{
	size_t bytes = random_bytes(seed);
	void *start = mremap(block->start, block->bytes, bytes,
			     MREMAP_MAYMOVE);

	expect_answer(start == MAP_FAILED);
	if (start != MAP_FAILED)
		*block = (struct block){ start, bytes };
}

/* By one thread only, for sbrk remembers where the heap ends. */
static void move_data_end(unsigned *seed)
{
	size_t bytes = random_bytes(seed);
	void *old = sbrk((intptr_t)bytes);

	expect_answer(old == (void *)-1);
	if (old != (void *)-1)
		sbrk(-(intptr_t)bytes);
}

static void fork_once(unsigned *seed)
{
	struct block block = { NULL, 0 };
	pid_t child = fork();
	int status;

	if (child == 0) {
		map_block(&block, seed);
		_exit(0);
	}
	expect_answer(child < 0);
	if (child > 0 && (waitpid(child, &status, 0) != child || status))
		note_error(ECHILD);
}

static void ask_at_random(unsigned seed, int first_thread)
{
	struct block blocks[BLOCKS] = { { NULL, 0 } };
	/* Before each refusal all processes are looked at. */
	const int rounds = tight ? 1 : ROUNDS;

	for (int i = 0; i < rounds; i++) {
		struct block *block = &blocks[rand_r(&seed) % BLOCKS];

		if (first_thread && rand_r(&seed) % 16 == 0)
			fork_once(&seed);
		else if (first_thread && rand_r(&seed) % 4 == 0)
			move_data_end(&seed);
		else if (!block->start)
			map_block(block, &seed);
		else if (rand_r(&seed) % 2)
			remap_block(block, &seed);
		else
			unmap_block(block);
	}
	for (int i = 0; i < BLOCKS; i++)
		unmap_block(&blocks[i]);
}

static void take_part(unsigned seed, int first_thread)
{
	void *kept;

	pthread_barrier_wait(&shared->started);
	ask_at_random(seed, first_thread);
	kept = map(KEPT);
	expect_answer(kept == MAP_FAILED);
	pthread_barrier_wait(&shared->full);
	if (tight && kept != MAP_FAILED)
		munmap(kept, KEPT);
	pthread_barrier_wait(&shared->settled);
	pthread_barrier_wait(&shared->dismissed);
}

static void *run_thread(void *seed)
{
	take_part((unsigned)(uintptr_t)seed, 0);
	return NULL;
}

static _Noreturn void run_member(unsigned seed)
{
	pthread_t threads[THREADS - 1];
	pthread_attr_t attributes;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(LIFE_S);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, THREAD_STACK);
	for (unsigned i = 0; i < THREADS - 1; i++)
		if (pthread_create(&threads[i], &attributes, run_thread,
				   (void *)(uintptr_t)(seed * 10 + i)))
			_exit(1);
	take_part(seed * 10 + THREADS, 1);
	for (unsigned i = 0; i < THREADS - 1; i++)
		pthread_join(threads[i], NULL);
	_exit(0);
}

/*
 * They stay, each with KEPT bytes a thread where all of it fits, until they are
 * dismissed.
 */
static int do_crowd(size_t count)
{
	make_shared();
	make_barrier(&shared->started, count * THREADS);
	make_barrier(&shared->full, count * THREADS);
	make_barrier(&shared->settled, count * THREADS + 1);
	make_barrier(&shared->dismissed, count * THREADS + 1);
	for (size_t i = 0; i < count; i++) {
		pid_t child = fork();

		if (child < 0)
			return errno;
		if (child == 0)
			run_member((unsigned)i);
	}
	pthread_barrier_wait(&shared->settled);
	return shared->error;
}

static int do_tight_crowd(size_t count)
{
	tight = 1;
	return do_crowd(count);
}

static int do_dismiss(size_t unused)
{
	(void)unused;
	pthread_barrier_wait(&shared->dismissed);
	return wait_for_all();
}

/* --- a fork bomb ---------------------------------------------------------- */

/* The first process dies with the test, too. */
static void await_end(void)
{
	const struct timespec second = { 1, 0 };

	while (!shared->over && kill(shared->root, 0) == 0)
		syscall(SYS_futex, &shared->over, FUTEX_WAIT, 0, &second);
}

static void end_all(void)
{
	shared->over = 1;
	syscall(SYS_futex, &shared->over, FUTEX_WAKE, INT_MAX);
}

/* Each process asks for something of its own, so that it is known. */
static void ask_once(void)
{
	void *start = map(64 * KIB);

	if (start == MAP_FAILED)
		note_error(errno);
	else
		munmap(start, 64 * KIB);
}

static _Noreturn void run_bomb(size_t count);

static void explode(size_t count)
{
	while (!shared->over && atomic_fetch_add(&shared->tried, 1) < count) {
		pid_t child = fork();

		if (child == 0)
			run_bomb(count);
		if (child < 0) {
			note_error(errno);
			atomic_fetch_add(&shared->resolved, 1);
		}
	}
}

static _Noreturn void run_bomb(size_t count)
{
	alarm(LIFE_S);
	ask_once();
	atomic_fetch_add(&shared->resolved, 1);
	explode(count);
	await_end();
	/* Half of the children are orphans for the supervisor to reap. */
	while (getpid() % 2 && wait(NULL) > 0)
		continue;
	_exit(0);
}

/* All are there at once, and end when they are told to. */
static int do_bomb(size_t count)
{
	const struct rlimit processes = { count + 2000, count + 2000 };

	/*
	 * The limit is on all processes of the user, and not for the superuser.
	 */
	(void)setrlimit(RLIMIT_NPROC, &processes);
	make_shared();
	shared->root = getpid();
	explode(count);
	while (shared->resolved < count)
		usleep(1000);
	return shared->error;
}

static int do_defuse(size_t unused)
{
	(void)unused;
	end_all();
	return wait_for_all();
}

/* --- one after the other -------------------------------------------------- */

/* Memory that a child has a copy of. */
static int do_hold(size_t mebibytes)
{
	return map(mebibytes * MIB) == MAP_FAILED ? errno : 0;
}

static int do_forks(size_t count)
{
	int error = 0;

	for (size_t i = 0; i < count && !error; i++) {
		pid_t child = fork();

		if (child == 0)
			_exit(0);
		error = wait_for(child);
	}
	return error;
}

/* Only the process that adopts them waits for them. */
static int do_orphans(size_t count)
{
	for (size_t i = 0; i < count; i++) {
		pid_t child = fork();

		if (child < 0)
			return errno;
		if (child == 0)
			_exit(0);
	}
	return 0;
}

/* The first argument of a short life. */
#define NOTHING "nothing"

/* By itself, for vfork may clobber what its caller has in registers. */
__attribute__((noinline)) static pid_t start_nothing(void)
{
	pid_t child = vfork();

	if (child == 0) {
		execl("/proc/self/exe", "crowd", NOTHING, NULL);
		_exit(127);
	}
	return child;
}

static int do_programs(size_t count)
{
	int error = 0;

	for (size_t i = 0; i < count && !error; i++)
		error = wait_for(start_nothing());
	return error;
}

/* By as many processes at once, which are all there from the beginning on. */
static int at_once(int (*make)(size_t count), size_t count)
{
	make_shared();
	make_barrier(&shared->started, AT_ONCE);
	for (size_t i = 0; i < AT_ONCE; i++) {
		pid_t child = fork();

		if (child < 0)
			return errno;
		if (child > 0)
			continue;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		alarm(LIFE_S);
		pthread_barrier_wait(&shared->started);
		_exit(make(count / AT_ONCE));
	}
	return wait_for_all();
}

static int do_forks_at_once(size_t count)
{
	return at_once(do_forks, count);
}

static int do_programs_at_once(size_t count)
{
	return at_once(do_programs, count);
}

int main(int argc, char **argv)
{
	static const struct step steps[] = {
		{ "crowd", do_crowd }, { "tight-crowd", do_tight_crowd },
		{ "dismiss", do_dismiss }, { "bomb", do_bomb },
		{ "defuse", do_defuse }, { "hold", do_hold },
		{ "forks", do_forks }, { "programs", do_programs },
		{ "orphans", do_orphans },
		{ "forks-at-once", do_forks_at_once },
		{ "programs-at-once", do_programs_at_once },
		{ "settled", do_settled }, { NULL, NULL },
	};

	if (argc == 2 && strcmp(argv[1], NOTHING) == 0)
		return 0;
	return take_steps(argc, argv, steps, 1);
}
