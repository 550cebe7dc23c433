/* SPDX-License-Identifier: MIT */
#include "steps.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* usage: asker DESCRIPTOR STEP[=MEBIBYTES]... */

#define MIB ((size_t)1 << 20)
#define PAGE ((size_t)sysconf(_SC_PAGESIZE))
#define THREAD_STACK ((size_t)1 << 20)

static void *last = MAP_FAILED;
static size_t last_bytes;

static int keep(void *mapped, size_t bytes)
{
	if (mapped == MAP_FAILED)
		return errno;
	last = mapped;
	last_bytes = bytes;
	return 0;
}

static int map(size_t bytes, int prot, int flags)
{
	return keep(mmap(NULL, bytes, prot, flags | MAP_ANONYMOUS, -1, 0),
		    bytes);
}

/* --- mappings ------------------------------------------------------------- */

static int do_mmap(size_t bytes)
{
	return map(bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE);
}

static int do_none(size_t bytes)
{
	return map(bytes, PROT_NONE, MAP_PRIVATE);
}

static int do_noreserve(size_t bytes)
{
	return map(bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE);
}

static int do_shared(size_t bytes)
{
	return map(bytes, PROT_READ | PROT_WRITE, MAP_SHARED);
}

static int do_shared_noreserve(size_t bytes)
{
	return map(bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE);
}

static int map_file(int file, size_t bytes, int prot)
{
	void *mapped = file < 0 ? MAP_FAILED :
		mmap(NULL, bytes, prot, MAP_SHARED, file, 0);
	const int error = keep(mapped, bytes);

	if (file >= 0)
		close(file);
	return error;
}

static int do_zero(size_t bytes)
{
	return map_file(open("/dev/zero", O_RDWR | O_CLOEXEC), bytes,
			PROT_READ | PROT_WRITE);
}

static int do_zero_read(size_t bytes)
{
	return map_file(open("/dev/zero", O_RDWR | O_CLOEXEC), bytes,
			PROT_READ);
}

static int do_zero_read_only(size_t bytes)
{
	return map_file(open("/dev/zero", O_RDONLY | O_CLOEXEC), bytes,
			PROT_READ);
}

/*
 * If the test could not make a device node, it is bound to a file of this name.
 */
static int do_zero_named(size_t bytes)
{
	const char *name = getenv("ASKER_ZERO");
	struct stat status;

	if (stat(name, &status))
		return errno;
	if (S_ISREG(status.st_mode) &&
	    (unshare(CLONE_NEWUSER | CLONE_NEWNS) ||
	     mount("/dev/zero", name, NULL, MS_BIND, NULL)))
		return ENOTSUP;
	return map_file(open(name, O_RDWR | O_CLOEXEC), bytes,
			PROT_READ | PROT_WRITE);
}

static int do_memfd_read(size_t bytes)
{
	const int file = memfd_create("asker", MFD_CLOEXEC);

	if (file >= 0 && ftruncate(file, (off_t)bytes))
		return errno;
	return map_file(file, bytes, PROT_READ);
}

/* On a file system in memory, where the tests say. */
static int do_tmpfs(size_t bytes)
{
	const int file = open(getenv("ASKER_TMPFS"),
			      O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (file >= 0 && ftruncate(file, (off_t)bytes))
		return errno;
	return map_file(file, bytes, PROT_READ | PROT_WRITE);
}

static int do_touch(size_t bytes)
{
	memset(last, 1, bytes);
	/* The supervisor looks for such pages now and then. */
	usleep(500000);
	return 0;
}

static int do_keep(size_t bytes)
{
	(void)bytes;
	return answer(madvise(last, last_bytes, MADV_DONTFORK));
}

/* Map over the last mapping, which is charged already. */
static int do_again(size_t bytes)
{
	return keep(mmap(last, bytes, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
		    bytes);
}

static int do_unmap(size_t bytes)
{
	(void)bytes;
	return answer(munmap(last, last_bytes));
}

static int do_mprotect(size_t bytes)
{
	int error = do_none(bytes);

	return error ? error :
		answer(mprotect(last, bytes, PROT_READ | PROT_WRITE));
}

/* Memory that is writable is charged already. */
static int do_writable(size_t bytes)
{
	(void)bytes;
	return answer(mprotect(last, last_bytes, PROT_READ | PROT_WRITE));
}

/* Change the last page, and with it all that is below. */
static int do_grows_down(size_t bytes)
{
	const int error = map(bytes, PROT_NONE, MAP_PRIVATE | MAP_GROWSDOWN);

	return error ? error :
		answer(mprotect((char *)last + bytes - PAGE, PAGE,
				PROT_READ | PROT_WRITE | PROT_GROWSDOWN));
}

static int do_noreserve_writable(size_t bytes)
{
	const int error = map(bytes, PROT_NONE, MAP_PRIVATE | MAP_NORESERVE);

	return error ? error : do_writable(0);
}

/* Without a reservation, for the pool of huge pages may be empty. */
static int do_huge(size_t bytes)
{
	return map(bytes, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_NORESERVE | MAP_HUGETLB);
}

static int do_huge_writable(size_t bytes)
{
	const int error = map(bytes, PROT_NONE, MAP_PRIVATE | MAP_NORESERVE |
			      MAP_HUGETLB);

	return error ? error : do_writable(0);
}

static int do_mremap(size_t bytes)
{
	int error = do_mmap(PAGE);

	return error ? error :
		keep(mremap(last, PAGE, bytes, MREMAP_MAYMOVE), bytes);
}

static int do_shrink(size_t bytes)
{
	return keep(mremap(last, last_bytes, bytes, 0), bytes);
}

static int do_brk(size_t bytes)
{
	return answer((long)sbrk((intptr_t)bytes));
}

static int do_brk_back(size_t bytes)
{
	return answer((long)sbrk(-(intptr_t)bytes));
}

/* A refused brk answers where the heap ends, to the byte. */
static int do_brk_refused(size_t bytes)
{
	const long odd = syscall(SYS_brk, 0) + 3 * (long)PAGE + 123;
	const long back = odd - 50;
	const int sets = syscall(SYS_brk, odd) == odd &&
		syscall(SYS_brk, odd + (long)bytes) == odd &&
		syscall(SYS_brk, back) == back;

	return sets && syscall(SYS_brk, back + (long)bytes) == back &&
		syscall(SYS_brk, 0) == back ? 0 : EINVAL;
}

static int do_shmget(size_t bytes)
{
	int id = shmget(IPC_PRIVATE, bytes, IPC_CREAT | 0600);

	if (id < 0)
		return errno;
	return answer(shmctl(id, IPC_RMID, NULL));
}

/* The segment is destroyed when the process ends. */
static int do_segment(size_t bytes)
{
	const int id = shmget(IPC_PRIVATE, bytes, IPC_CREAT | 0600);
	int error;

	if (id < 0)
		return errno;
	error = answer((long)shmat(id, NULL, 0));
	return error ? error : answer(shmctl(id, IPC_RMID, NULL));
}

/* Map a mebibyte as often as it is granted, and write the number. */
static int do_fill(size_t bytes)
{
	void *chain = NULL, **block;
	size_t count = 0;

	while ((block = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) !=
	       MAP_FAILED) {
		*block = chain;
		chain = block;
		count++;
	}
	for (; chain; chain = block) {
		block = *(void **)chain;
		munmap(chain, bytes);
	}
	say_number("filled", count);
	return errno == ENOMEM ? 0 : errno;
}

/* --- processes ------------------------------------------------------------ */

static int do_fork(size_t bytes)
{
	pid_t child = fork();

	(void)bytes;
	if (child == 0)
		_exit(0);
	return wait_for(child);
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
		{ "sibling", do_sibling }, { "grandchild", do_grandchild },
		{ "fork-of-sharer", do_fork_of_sharer },
		{ "vfork", do_vfork }, { "spawn", do_spawn },
		{ "threads", do_threads }, { "orphan", do_orphan },
		{ "exec", do_exec }, { "image", do_image }, { "stay", do_stay },
		{ "wait", do_wait }, { "fork-wait", do_fork_wait },
		{ "exit", do_exit }, { "raise", do_raise }, { "clone3", do_clone3 },
		{ NULL, NULL },
	};

	return take_steps(argc, argv, steps, MIB);
}
