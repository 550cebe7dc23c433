/* SPDX-License-Identifier: MIT */
#include "../outcome.h"

#include <malloc.h>
#include <pthread.h>
#include <spawn.h>
#include <stdatomic.h>

/*
 * fork while other threads allocate, from a thread, in handlers of
 * pthread_atfork, and vfork and posix_spawn.
 */

#define LARGE ((size_t)300000)

static atomic_bool stop;
static atomic_long wrong;

static bool is_all(const unsigned char *block, int letter, size_t length)
{
	return block[0] == letter && memcmp(block, block + 1, length - 1) == 0;
}

/* Blocks of all sizes come and go and grow; each has its own letter. */
static void churn(unsigned seed, int rounds)
{
	unsigned char *blocks[8] = { NULL };
	size_t lengths[8] = { 0 };

	for (int i = 0; i < rounds && !stop; i++) {
		unsigned k = (seed = seed * 1103515245 + 12345) / 65536 % 8;
		size_t length = 1000 + seed / 7 % 600000;
		size_t kept = length < lengths[k] ? length : lengths[k];

		if (seed % 5 == 0) {
			free(blocks[k]);
			blocks[k] = calloc(1, length);
			kept = 0;
			if (!blocks[k] || !is_all(blocks[k], 0, length))
				wrong++;
		} else {
			blocks[k] = realloc(blocks[k], length);
		}
		if (!blocks[k] || (kept && !is_all(blocks[k], (int)k, kept)))
			wrong++;
		if (!blocks[k])
			abort();
		lengths[k] = length;
		memset(blocks[k], (int)k, length);
	}
	for (int k = 0; k < 8; k++)
		free(blocks[k]);
}

static void *churn_on(void *seed)
{
	while (!stop)
		churn((unsigned)(uintptr_t)seed, 1000);
	return NULL;
}

static void child_of(unsigned char *block, int letter)
{
	if (!is_all(block, letter, LARGE))
		_exit(1);
	block = realloc(block, 5 * LARGE);
	if (!block || !is_all(block, letter, LARGE))
		_exit(2);
	memset(block, 'c', 5 * LARGE);
	churn(99, 50);
	free(block);
	_exit(wrong ? 3 : 0);
}

static void fork_amid(const char *name, int count)
{
	unsigned char *block = malloc(LARGE);
	int bad = 0, status;

	for (int i = 0; i < count; i++) {
		memset(block, i % 100, LARGE);

		pid_t child = fork();

		if (child == 0)
			child_of(block, i % 100);
		if (waitpid(child, &status, 0) != child || status)
			bad++;
		if (!is_all(block, i % 100, LARGE))
			bad++;
	}
	free(block);
	say(name, "%d of %d wrong", bad, count);
}

static void *fork_in_thread(void *unused)
{
	(void)unused;
	fork_amid("fork in a thread", 2);
	return NULL;
}

static void amid_threads(void)
{
	pthread_t threads[3], forker;

	for (uintptr_t i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, churn_on, (void *)(i + 1));
	fork_amid("fork", 4);
	pthread_create(&forker, NULL, fork_in_thread, NULL);
	pthread_join(forker, NULL);
	stop = true;
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	stop = false;
	say("threads", "%ld wrong", (long)wrong);
}

/*
 * Handlers that were registered before there was a heap: they run while it
 * waits for the fork.
 */
static unsigned char *carried;
static int in_handlers;

static void use_heap(int letter)
{
	unsigned char *fresh = calloc(2, LARGE);

	in_handlers += fresh && is_all(fresh, 0, 2 * LARGE);
	in_handlers += malloc_usable_size(carried) >= LARGE;
	carried = realloc(carried, (size_t)letter * LARGE / 50);
	in_handlers += is_all(carried, 'h', LARGE);
	free(fresh);
	fresh = carried;
	carried = malloc(LARGE);
	memset(carried, 'h', LARGE);
	free(fresh);
	malloc_trim(0);
}

static void prepare(void)
{
	if (carried)
		use_heap('p');
}

static void parent(void)
{
	if (carried)
		use_heap('f');
}

static void child(void)
{
	if (carried)
		use_heap('c');
}

static void in_atfork(void)
{
	pid_t process;

	carried = malloc(LARGE);
	memset(carried, 'h', LARGE);
	in_handlers = 0;
	process = fork();
	if (process == 0)
		_exit(in_handlers == 6 && is_all(carried, 'h', LARGE) ? 0 : 1);
	ended("handlers in the child", process);
	say("handlers in the parent", "%d %d", in_handlers,
	    is_all(carried, 'h', LARGE));
	free(carried);
	carried = NULL;
}

/*
 * A lock of the program's own that handlers hold over a fork, and under which
 * another thread allocates.
 */
static pthread_mutex_t own_lock = PTHREAD_MUTEX_INITIALIZER;

static void take_own_lock(void)
{
	pthread_mutex_lock(&own_lock);
}

static void drop_own_lock(void)
{
	pthread_mutex_unlock(&own_lock);
}

static void *allocate_under_lock(void *unused)
{
	(void)unused;
	while (!stop) {
		take_own_lock();
		free(realloc(malloc(10 * LARGE), 300 * LARGE));
		drop_own_lock();
		usleep(50);
	}
	return NULL;
}

static void amid_locks(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, allocate_under_lock, NULL);
	fork_amid("fork with a lock held by handlers", 20);
	stop = true;
	pthread_join(thread, NULL);
	stop = false;
}

static void other_ways(void)
{
	char *arguments[] = { (char *)"true", NULL };
	char *block = malloc(LARGE);
	pid_t process = vfork();

	if (process == 0) {
		execv("/bin/true", arguments);
		_exit(1);
	}
	ended("vfork", process);
	process = -1;
	posix_spawn(&process, "/bin/true", NULL, NULL, arguments, environ);
	ended("posix_spawn", process);
	say("system", "%d", system("true"));
	free(block);
}

/* A child that itself has children. */
static void generations(void)
{
	unsigned char *block = malloc(LARGE);
	pid_t process;

	memset(block, 'g', LARGE);
	process = fork();
	if (process == 0) {
		int status = 1;
		pid_t second = fork();

		if (second == 0)
			child_of(block, 'g');
		waitpid(second, &status, 0);
		_exit(status || !is_all(block, 'g', LARGE));
	}
	ended("a child of a child", process);
	free(block);
}

int main(void)
{
	begin();
	pthread_atfork(prepare, parent, child);
	pthread_atfork(take_own_lock, drop_own_lock, drop_own_lock);
	in_atfork();
	generations();
	amid_threads();
	amid_locks();
	in_atfork();
	other_ways();
	return 0;
}
