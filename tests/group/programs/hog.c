/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/*
 * Asks for more than there is: processes with two threads each that map, unmap,
 * remap and fork at random. Ends with status 0 where nothing but ENOMEM was
 * met.
 *
 * usage: hog SEED SECONDS
 */

#define PROCESSES 4
#define BLOCKS 12
#define MIB ((size_t)1 << 20)

static double end_time;

struct block {
	void *start;
	size_t bytes;
};

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void expect_enomem(void)
{
	/* fork says EAGAIN where a process limit is met. */
	if (errno != ENOMEM)
		_exit(1);
}

static size_t random_bytes(unsigned *seed)
{
	return (size_t)(1 + rand_r(seed) % 1024) * 8192;
}

static void map(struct block *block, unsigned *seed)
{
	void *start;

	block->bytes = random_bytes(seed);
	start = mmap(NULL, block->bytes, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (start == MAP_FAILED)
		expect_enomem();
	else
		block->start = start;
}

static void unmap(struct block *block)
{
	munmap(block->start, block->bytes);
	block->start = NULL;
}

static void remap(struct block *block, unsigned *seed)
{
	size_t bytes = random_bytes(seed);
	void *start = mremap(block->start, block->bytes, bytes,
			     MREMAP_MAYMOVE);

	if (start == MAP_FAILED)
		expect_enomem();
	else
		*block = (struct block){ start, bytes };
}

static void fork_once(unsigned *seed)
{
	struct block block = { NULL, 0 };
	pid_t child = fork();
	int status;

	if (child == 0) {
		map(&block, seed);
		_exit(0);
	}
	if (child < 0)
		expect_enomem();
	else if (waitpid(child, &status, 0) != child || status)
		_exit(2);
}

static void *run(void *context)
{
	struct block blocks[BLOCKS] = { { NULL, 0 } };
	unsigned seed = (unsigned)(uintptr_t)context;

	while (now() < end_time) {
		struct block *block = &blocks[rand_r(&seed) % BLOCKS];

		if (rand_r(&seed) % 64 == 0)
			fork_once(&seed);
		else if (!block->start)
			map(block, &seed);
		else if (rand_r(&seed) % 2)
			remap(block, &seed);
		else
			unmap(block);
	}
	return NULL;
}

static _Noreturn void run_process(unsigned seed)
{
	pthread_t thread;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (pthread_create(&thread, NULL, run,
			   (void *)(uintptr_t)(seed + 1000)))
		thread = pthread_self();
	run((void *)(uintptr_t)seed);
	if (!pthread_equal(thread, pthread_self()))
		pthread_join(thread, NULL);
	_exit(0);
}

int main(int argc, char **argv)
{
	int status, result = 0;
	unsigned seed;

	if (argc != 3)
		return 2;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	seed = (unsigned)strtoul(argv[1], NULL, 10);
	end_time = now() + strtod(argv[2], NULL);
	for (unsigned i = 0; i < PROCESSES; i++)
		if (fork() == 0)
			run_process(seed + i);
	while (wait(&status) > 0)
		if (status)
			result = 3;
	return result;
}
