/* SPDX-License-Identifier: MIT */
#include "../../outcome.h"

#include <pthread.h>
#include <sched.h>

/* fork, vfork, clone, exec and threads. */

static char *memory;

static void children_have_copies(void)
{
	char *shared = must(mmap(NULL, page, RW, SHARED_ANON, -1, 0));
	pid_t child;

	memory = anonymous(8);
	memset(memory, 'p', 8 * page);
	child = fork();
	if (child == 0) {
		memory[0] = 'c';
		shared[0] = 's';
		munmap(memory + page, page);
		char *more = mremap(memory + 4 * page, 4 * page, 8 * page,
				    MREMAP_MAYMOVE);
		if (more == MAP_FAILED || more[0] != 'p')
			_exit(1);
		_exit(anonymous(4)[0] + 3);
	}
	ended("child maps", child);
	reads("private is the parent's", memory);
	reads("shared is both's", shared);
	reads("child's munmap is its own", memory + page);
	outcome("parent unmaps", munmap(memory, 8 * page));
}

static void advice_on_fork(void)
{
	pid_t child;

	memory = anonymous(4);
	memset(memory, 'p', 4 * page);
	outcome("dontfork", madvise(memory, page, MADV_DONTFORK));
	outcome("wipeonfork", madvise(memory + page, page, MADV_WIPEONFORK));
	outcome("mlock", mlock(memory + 2 * page, page));
	child = fork();
	if (child == 0) {
		unsigned char vector[1];

		reads("child: dontfork", memory);
		outcome("child: dontfork is unmapped",
			mincore(memory, page, vector));
		reads("child: wipeonfork", memory + page);
		outcome("child: lock is gone",
			madvise(memory + 2 * page, page, MADV_DONTNEED));
		mapped_at("child: maps there", mmap(memory, page, RW, ANON |
						    MAP_FIXED_NOREPLACE, -1, 0),
			  memory);
		_exit(0);
	}
	ended("child of advice", child);
	outcome("parent: still locked", madvise(memory + 2 * page, page,
						MADV_DONTNEED));
	munmap(memory, 4 * page);
}

static void raw_fork(void)
{
	long child;

	memory = anonymous(4);
	memset(memory, 'p', 4 * page);
	madvise(memory, page, MADV_DONTFORK);
	child = syscall(SYS_clone, (long)SIGCHLD, 0L, 0L, 0L, 0L);
	if (child == 0) {
		unsigned char vector[1];

		outcome("raw child: hole", mincore(memory, page, vector));
		outcome("raw child: unmap", munmap(memory, 4 * page));
		mapped("raw child: map", mmap(NULL, 64 * page, RW, ANON, -1, 0));
		_exit(5);
	}
	ended("raw child", (pid_t)child);
	reads("parent of raw child", memory);
	munmap(memory, 4 * page);
}

static void generations(int left)
{
	char *mine = anonymous(4);
	pid_t child;

	*mine = (char)left;
	child = left ? fork() : 0;
	if (left && child == 0)
		generations(left - 1);
	if (child)
		ended("generation", child);
	if (munmap(mine, 4 * page) || *anonymous(4) != 0)
		_exit(99);
	if (left != 4)
		_exit(left);
}

static void vfork_shares(void)
{
	pid_t child;

	memory = anonymous(4);
	child = vfork();
	if (child == 0) {
		memory = mremap(memory, 4 * page, 8 * page, MREMAP_MAYMOVE);
		_exit(memory == MAP_FAILED);
	}
	ended("vfork", child);
	writes("what it mapped is ours", memory + 7 * page);
	outcome("and unmapped", munmap(memory, 8 * page));
}

static int clone_child(void *argument)
{
	*(char **)argument = mmap(NULL, page, RW, ANON, -1, 0);
	return *(char **)argument == MAP_FAILED;
}

static void clone_shares(void)
{
	char *stack = must(mmap(NULL, 64 * page, RW, ANON | MAP_STACK, -1, 0));
	pid_t child = clone(clone_child, stack + 64 * page,
			    CLONE_VM | SIGCHLD, &memory);

	ended("clone with our memory", child);
	writes("its memory is ours", memory);
	outcome("unmapped", munmap(memory, page));
	munmap(stack, 64 * page);
}

#define THREADS 4
#define ROUNDS 400

/* Maps, grows, moves, protects and unmaps; returns what went wrong, or NULL. */
static const char *work(intptr_t number)
{
	for (int round = 0; round < ROUNDS; round++) {
		size_t pages = 1 + (size_t)(round * 7 + number) % 16;
		char *mine = mmap(NULL, pages * page, RW, ANON, -1, 0);

		if (mine == MAP_FAILED)
			return "mmap";
		memset(mine, (int)number, pages * page);
		mine = mremap(mine, pages * page, 2 * pages * page,
			      MREMAP_MAYMOVE);
		if (mine == MAP_FAILED)
			return "mremap";
		if (mine[pages * page - 1] != number || mine[pages * page])
			return "contents";
		if (mprotect(mine, page, PROT_READ))
			return "mprotect";
		if (madvise(mine, 2 * pages * page, MADV_DONTNEED))
			return "madvise";
		if (mine[0])
			return "dontneed";
		if (munmap(mine, 2 * pages * page))
			return "munmap";
	}
	return NULL;
}

static void *thread(void *argument)
{
	return (void *)(uintptr_t)work((intptr_t)argument);
}

/* Forks while other threads are in the midst of their calls. */
static const char *fork_among(pthread_t *threads)
{
	const char *trouble = NULL;

	for (int i = 0; i < 20; i++) {
		pid_t child = i % 2 ? fork() :
			(pid_t)syscall(SYS_clone, (long)SIGCHLD, 0L, 0L, 0L,
				       0L);
		int status = -1;

		if (child == 0)
			_exit(work(100) ? 1 : 0);
		if (waitpid(child, &status, 0) != child || status)
			trouble = i % 2 ? "fork" : "raw fork";
	}
	for (int i = 0; i < THREADS; i++) {
		void *its = NULL;

		pthread_join(threads[i], &its);
		if (its)
			trouble = its;
	}
	return trouble;
}

static void threads_work(void)
{
	pthread_t threads[THREADS];
	const char *trouble;

	for (intptr_t i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, thread, (void *)(i + 1)))
			abort();
	trouble = fork_among(threads);
	say("threads and forks", "%s", trouble ? trouble : "fine");
}

static void thread_on_own_stack(void)
{
	pthread_attr_t attributes;
	pthread_t one;
	void *its = NULL;
	char *stack = must(mmap(NULL, 256 * page, RW, ANON | MAP_STACK |
				MAP_NORESERVE, -1, 0));

	pthread_attr_init(&attributes);
	pthread_attr_setstack(&attributes, stack, 256 * page);
	if (pthread_create(&one, &attributes, thread, (void *)1))
		abort();
	pthread_join(one, &its);
	say("a stack in our memory", "%s", its ? (char *)its : "fine");
	munmap(stack, 256 * page);
}

static void executes(char *self)
{
	pid_t child = fork();

	if (child == 0) {
		execl(self, self, "executed", (char *)NULL);
		_exit(127);
	}
	ended("exec", child);
}

int main(int count, char **arguments)
{
	begin();
	if (count > 1) {
		*anonymous(2) = 'x';
		return 6;
	}
	children_have_copies();
	advice_on_fork();
	raw_fork();
	generations(4);
	vfork_shares();
	clone_shares();
	threads_work();
	thread_on_own_stack();
	executes(arguments[0]);
	return 0;
}
