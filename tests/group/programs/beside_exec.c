/* SPDX-License-Identifier: MIT */
#include "steps.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * A thread that is not the first executes a program, and is held up by a lease on the
 * file (fcntl(2), F_SETLEASE) while another thread asks. The program is this one, and
 * takes the step "heap".
 */

#define MIB ((size_t)1 << 20)
#define LOOK_US 500
#define STACK_BYTES ((size_t)256 << 10)

static char copy[] = "/tmp/executed-XXXXXX";
static int lease = -1;

/* --- a program that is held up -------------------------------------------- */

/* Returns 0 or an errno. */
static int copy_self(void)
{
	const int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	const int file = mkostemp(copy, O_CLOEXEC);
	ssize_t got;
	int error;

	do
		got = sendfile(file, self, NULL, MIB);
	while (got > 0);
	error = got < 0 || fchmod(file, 0700) ? errno : 0;
	close(self);
	close(file);
	return error;
}

/* Who opens the copy waits from now on, until let_execute. */
static int hold_up(void)
{
	const int error = copy_self();

	if (error)
		return error;
	/* The kernel tells that somebody waits. */
	signal(SIGIO, SIG_IGN);
	lease = open(copy, O_RDONLY | O_CLOEXEC);
	return answer(lease < 0 ? -1 : fcntl(lease, F_SETLEASE, F_WRLCK));
}

static void await_execute(void)
{
	while (fcntl(lease, F_GETLEASE) == F_WRLCK)
		usleep(LOOK_US);
}

static void let_execute(void)
{
	unlink(copy);
	fcntl(lease, F_SETLEASE, F_UNLCK);
}

static void *execute(void *context)
{
	extern char **environ;
	char name[] = "beside-exec", out[16], step[] = "heap=1";
	char *arguments[] = { name, out, step, NULL };

	(void)context;
	snprintf(out, sizeof out, "%s", said_to());
	execve(copy, arguments, environ);
	_exit(97);
}

/* Each on a stack of the program, so that nothing is asked for. */
static void start_thread(void *(*run)(void *))
{
	static char stacks[2][STACK_BYTES] __attribute__((aligned(64)));
	static size_t count;
	pthread_attr_t attributes;
	pthread_t thread;

	pthread_attr_init(&attributes);
	if (pthread_attr_setstack(&attributes, stacks[count++], STACK_BYTES) ||
	    pthread_create(&thread, &attributes, run, NULL))
		_exit(96);
}

/* Whether the first thread has ended and, as others have not, stays as a zombie. */
static bool has_first_ended(void)
{
	char text[512] = "";
	const int file = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
	const ssize_t length = read(file, text, sizeof text - 1);

	close(file);
	return length > 0 && strstr(text, ") Z ");
}

static void await_end_of_first(void)
{
	while (!has_first_ended())
		usleep(LOOK_US);
}

/* --- steps ---------------------------------------------------------------- */

static bool can_map(void)
{
	return mmap(NULL, MIB, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
}

static int do_heap(size_t mib)
{
	return sbrk((intptr_t)(mib * MIB)) == (void *)-1 ? errno : 0;
}

/* Where there are no leases, the program ends at once and says so. */
static int do_lease(size_t unused)
{
	const int error = hold_up();

	(void)unused;
	if (error) {
		unlink(copy);
		say("no lease:", strerrorname_np(error));
		_exit(0);
	}
	return 0;
}

/* An execve that fails says nothing of the one that is held up. */
static int do_failing(size_t unused)
{
	char *const none[] = { NULL };

	(void)unused;
	start_thread(execute);
	await_execute();
	if (execve("/nowhere/program", none, none) != -1 || !can_map())
		return errno;
	let_execute();
	pause();
	return EINTR;
}

static void *ask_and_let_execute(void *context)
{
	(void)context;
	await_end_of_first();
	await_execute();
	/* The heap is asked about as well, by one who has no first thread. */
	if (!can_map() || sbrk(MIB) == (void *)-1)
		_exit(95);
	let_execute();
	pause();
	return NULL;
}

static void *execute_without_first(void *context)
{
	await_end_of_first();
	return execute(context);
}

/* The first thread has no memory any more, and the process has. */
static int do_without_first(size_t unused)
{
	(void)unused;
	start_thread(execute_without_first);
	start_thread(ask_and_let_execute);
	syscall(SYS_exit, 0);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct step steps[] = {
		{ "heap", do_heap }, { "lease", do_lease },
		{ "failing", do_failing }, { "without-first", do_without_first },
		{ NULL, NULL }
	};

	return take_steps(argc, argv, steps, 1);
}
