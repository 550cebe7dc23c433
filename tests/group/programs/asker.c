/* SPDX-License-Identifier: MIT */
#include "asker_maps.h"
#include "steps.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* usage: asker DESCRIPTOR STEP[=MEBIBYTES]... */

#define MIB ((size_t)1 << 20)
#define THREAD_STACK ((size_t)1 << 20)

/* --- processes ------------------------------------------------------------ */

static int do_fork(size_t bytes)
{
	pid_t child = fork();

	(void)bytes;
	if (child == 0)
		_exit(0);
	return wait_for(child);
}

/* The child asks for nothing, and ends with the group. */
static int do_fork_idle(size_t bytes)
{
	const pid_t child = fork();

	(void)bytes;
	while (child == 0)
		pause();
	return answer(child);
}

/* The child asks for memory of its own. */
static int do_fork_map(size_t bytes)
{
	pid_t child = fork();

	if (child == 0)
		_exit(do_mmap(bytes));
	return wait_for(child);
}

static int do_vfork(size_t bytes)
{
	pid_t child = vfork();

	(void)bytes;
	if (child == 0)
		_exit(0);
	return wait_for(child);
}

static int do_spawn(size_t bytes)
{
	extern char **environ;
	char name[] = "true", *arguments[] = { name, NULL };
	pid_t child;
	int error = posix_spawnp(&child, name, NULL, NULL, arguments,
				 environ);

	(void)bytes;
	return error ? error : wait_for(child);
}

static void *run_thread(void *bytes)
{
	return (void *)(uintptr_t)do_mmap((size_t)bytes);
}

/* Two threads that map something each. */
static int do_threads(size_t bytes)
{
	pthread_t threads[2];
	pthread_attr_t attributes;
	void *result;
	int error = 0;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, THREAD_STACK);
	for (int i = 0; i < 2 && !error; i++)
		error = pthread_create(&threads[i], &attributes, run_thread,
				       (void *)bytes);
	for (int i = 0; i < 2 && !error; i++) {
		error = pthread_join(threads[i], &result);
		if (!error)
			error = (int)(uintptr_t)result;
	}
	return error;
}

/* It lives until the next step has been taken. */
static _Noreturn void stay_for_a_moment(void)
{
	usleep(700000);
	_exit(0);
}

/* A copy that is not the asker's child. */
static int do_sibling(size_t bytes)
{
	const long child = syscall(SYS_clone, CLONE_PARENT | SIGCHLD, NULL,
				   NULL, NULL, 0L);

	(void)bytes;
	if (child == 0)
		stay_for_a_moment();
	return answer(child);
}

/* A copy of a child that has ended, and so a child of the asker. */
static int do_grandchild(size_t bytes)
{
	pid_t child;

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	child = fork();
	if (child == 0) {
		const int error = do_mmap(bytes);

		if (error)
			_exit(error);
		child = fork();
		if (child == 0)
			stay_for_a_moment();
		_exit(child < 0 ? errno : 0);
	}
	return wait_for(child);
}

static int fork_and_end(void *unused)
{
	const pid_t child = fork();

	(void)unused;
	if (child == 0)
		_exit(0);
	return wait_for(child);
}

/*
 * A process that has its memory in common with the asker, and is no thread of
 * it.
 */
static int do_fork_of_sharer(size_t bytes)
{
	static char stack[64 << 10];
	const pid_t child = clone(fork_and_end, stack + sizeof stack,
				  CLONE_VM | SIGCHLD, NULL);

	(void)bytes;
	return wait_for(child);
}

/* A child that stays, as an orphan. */
static int do_orphan(size_t bytes)
{
	pid_t child = fork();

	if (child == 0) {
		if (fork() == 0) {
			/* It ends by itself, should the test fail. */
			alarm(3600);
			do_mmap(bytes);
			for (;;)
				pause();
		}
		_exit(0);
	}
	return wait_for(child);
}

static int do_exec(size_t bytes)
{
	(void)bytes;
	execl("/proc/self/exe", "asker", said_to(), "none=1", "mmap=40", NULL);
	return errno;
}

/* A child that is another asker, and maps as much three times. */
static int do_image(size_t bytes)
{
	char step[24];
	pid_t child;

	snprintf(step, sizeof step, "mmap=%zu", bytes / MIB);
	child = fork();
	if (child == 0) {
		execl("/proc/self/exe", "asker", said_to(), step, step, step,
		      NULL);
		_exit(errno);
	}
	return wait_for(child);
}

/* --- staying and ending --------------------------------------------------- */

static _Noreturn int do_stay(size_t bytes)
{
	(void)bytes;
	say("stay", "now");
	for (;;)
		pause();
}

static int do_wait(size_t bytes)
{
	(void)bytes;
	say("wait", "now");
	while (usleep(1000) == 0 && getppid() != 1) {
		/* The test puts this file there. */
		if (access(getenv("ASKER_GO_ON"), F_OK) == 0)
			return 0;
	}
	return ECHILD;
}

/* A child that the group knows, which waits. */
static int do_fork_wait(size_t bytes)
{
	const pid_t child = fork();

	if (child == 0) {
		const int error = do_mmap(bytes);

		_exit(error ? error : do_wait(0));
	}
	return wait_for(child);
}

/* A child that the group does not know waits, and asks for memory then. */
static int do_fork_waits_to_map(size_t bytes)
{
	const pid_t child = fork();

	if (child == 0) {
		const int error = do_wait(0);

		_exit(error ? error : do_mmap(bytes));
	}
	return wait_for(child);
}

static _Noreturn int do_exit(size_t status)
{
	_exit((int)(status / MIB));
}

static int do_raise(size_t number)
{
	return answer(raise((int)(number / MIB)));
}

static int do_clone3(size_t bytes)
{
	(void)bytes;
	return answer(syscall(SYS_clone3, NULL, 0));
}

int main(int argc, char **argv)
{
	static const struct step steps[] = {
		{ "mmap", do_mmap }, { "none", do_none },
		{ "noreserve", do_noreserve }, { "shared", do_shared },
		{ "shared-noreserve", do_shared_noreserve },
		{ "zero", do_zero }, { "zero-read", do_zero_read },
		{ "zero-read-only", do_zero_read_only },
		{ "zero-named", do_zero_named }, { "memfd-read", do_memfd_read },
		{ "tmpfs", do_tmpfs }, { "touch", do_touch }, { "keep", do_keep },
		{ "again", do_again }, { "unmap", do_unmap },
		{ "mprotect", do_mprotect }, { "writable", do_writable },
		{ "grows-down", do_grows_down },
		{ "noreserve-writable", do_noreserve_writable },
		{ "huge", do_huge }, { "huge-writable", do_huge_writable },
		{ "mremap", do_mremap }, { "shrink", do_shrink }, { "brk", do_brk },
		{ "brk-back", do_brk_back }, { "brk-refused", do_brk_refused },
		{ "shmget", do_shmget }, { "segment", do_segment },
		{ "fill", do_fill }, { "fork", do_fork }, { "fork-map", do_fork_map },
		{ "fork-idle", do_fork_idle }, { "stack", do_stack },
		{ "sibling", do_sibling }, { "grandchild", do_grandchild },
		{ "fork-of-sharer", do_fork_of_sharer },
		{ "vfork", do_vfork }, { "spawn", do_spawn },
		{ "threads", do_threads }, { "orphan", do_orphan },
		{ "exec", do_exec }, { "image", do_image }, { "stay", do_stay },
		{ "wait", do_wait }, { "fork-wait", do_fork_wait },
		{ "fork-waits-to-map", do_fork_waits_to_map },
		{ "exit", do_exit }, { "raise", do_raise }, { "clone3", do_clone3 },
		{ NULL, NULL },
	};

	return take_steps(argc, argv, steps, MIB);
}
