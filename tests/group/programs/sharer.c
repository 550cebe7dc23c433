/* SPDX-License-Identifier: MIT */
#include "steps.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * Processes that have one memory and are no threads of each other. They ask for
 * one piece after the other, as many as a step's number says at most, and count
 * in that memory what they are granted.
 */

#define PIECE_MIB ((size_t)10)
#define PIECE (PIECE_MIB << 20)
#define LIFE_S 3600
#define MOST_NESTED 2

static volatile size_t granted;   /* MiB, by all who have this memory */
static volatile bool done;
static int gate[2] = { -1, -1 }, life[2] = { -1, -1 };   /* pipes */
static char stacks[MOST_NESTED][64 << 10] __attribute__((aligned(16)));

static bool map(size_t bytes)
{
	return mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
}

static int do_maps(size_t most)
{
	for (size_t i = 0; i < most && map(PIECE); i++)
		granted += PIECE_MIB;
	return 0;
}

/* By the system call, for libc remembers where the heap ends. */
static int do_breaks(size_t most)
{
	const long end = syscall(SYS_brk, 0);

	for (size_t i = 1; i <= most; i++) {
		const long wanted = end + (long)(i * PIECE);

		if (syscall(SYS_brk, wanted) != wanted)
			break;
		granted += PIECE_MIB;
	}
	return 0;
}

/* Ask for all of it at once. */
static int do_break(size_t pieces)
{
	const long wanted = syscall(SYS_brk, 0) + (long)(pieces * PIECE);

	return syscall(SYS_brk, wanted) == wanted ? 0 : ENOMEM;
}

static int do_granted(size_t unused)
{
	(void)unused;
	say_number("granted", granted);
	return 0;
}

/* --- sharers that are waited for ------------------------------------------ */

/* Nested in so many others. */
static pid_t start_sharer(int (*take)(void *), int flags, int nested,
			  size_t most)
{
	return clone(take, stacks[nested] + sizeof stacks[nested],
		     CLONE_VM | SIGCHLD | flags, (void *)(uintptr_t)most);
}

static int take_maps(void *most)
{
	return do_maps((size_t)most);
}

static int take_breaks(void *most)
{
	return do_breaks((size_t)most);
}

static int take_break(void *pieces)
{
	return do_break((size_t)pieces);
}

static int take_nested_maps(void *most)
{
	const int error = wait_for(start_sharer(take_maps, 0, 1, 2));

	return error ? error : do_maps((size_t)most);
}

static int take_maps_and_execute(void *most)
{
	do_maps((size_t)most);
	execl("/proc/self/exe", "sharer", said_to(), NULL);
	return errno;
}

static int take_maps_and_tell(void *most)
{
	do_maps((size_t)most);
	done = true;
	return 0;
}

static int do_sharer_maps(size_t most)
{
	return wait_for(start_sharer(take_maps, 0, 0, most));
}

static int do_sharer_breaks(size_t most)
{
	return wait_for(start_sharer(take_breaks, 0, 0, most));
}

static int do_sharer_break(size_t pieces)
{
	return wait_for(start_sharer(take_break, 0, 0, pieces));
}

static int do_nested_sharer_maps(size_t most)
{
	return wait_for(start_sharer(take_nested_maps, 0, 0, most));
}

static int do_sharer_executes(size_t most)
{
	return wait_for(start_sharer(take_maps_and_execute, CLONE_VFORK, 0,
				     most));
}

/* It is its parent's child, who waits for it. */
static int do_brother_maps(size_t most)
{
	if (start_sharer(take_maps_and_tell, CLONE_PARENT, 0, most) < 0)
		return errno;
	while (!done)
		usleep(1000);
	return 0;
}

/* --- sharers that are left with the memory -------------------------------- */

/* The group knows it; it asks for more when nobody holds the gate any more. */
static int ask_when_left(void *most)
{
	char text;

	alarm(LIFE_S);
	close(gate[1]);
	close(life[1]);
	done = map(1);
	if (read(gate[0], &text, sizeof text) < 0)
		return errno;
	do_maps((size_t)most);
	say_number("left", granted);
	return 0;
}

static int start_one_to_leave(size_t most)
{
	if (start_sharer(ask_when_left, 0, 0, most) < 0)
		return errno;
	while (!done)
		usleep(1000);
	return 0;
}

/* A process with a memory of its own, which asks when its parent has ended. */
static int start_other(size_t most)
{
	char text;
	pid_t child;

	if (pipe(life))
		return errno;
	child = fork();
	if (child != 0)
		return answer(child);
	alarm(LIFE_S);
	close(life[1]);
	if (read(life[0], &text, sizeof text) < 0)
		_exit(errno);
	do_maps(most);
	say_number("other", granted);
	_exit(0);
}

/* This process and the other one hold the gate until they end. */
static int do_leave(size_t most)
{
	int error = pipe(gate) ? errno : start_other(most);

	if (!error)
		error = do_maps(3);
	if (!error)
		error = start_one_to_leave(0);
	if (error)
		return error;
	_exit(0);
}

/* The program asks before and after the sharer that it has left. */
static int do_execute(size_t most)
{
	char maps[24], open_gate[24];
	const int error = pipe(gate) ? errno : start_one_to_leave(most);

	if (error)
		return error;
	snprintf(maps, sizeof maps, "maps=%zu", most);
	snprintf(open_gate, sizeof open_gate, "open=%d", gate[1]);
	execl("/proc/self/exe", "sharer", said_to(), maps, "granted",
	      open_gate, maps, "granted", NULL);
	return errno;
}

static int do_open(size_t descriptor)
{
	close((int)descriptor);
	return answer(wait(NULL));
}

int main(int argc, char **argv)
{
	static const struct step steps[] = {
		{ "maps", do_maps }, { "breaks", do_breaks },
		{ "granted", do_granted },
		{ "sharer-maps", do_sharer_maps },
		{ "sharer-breaks", do_sharer_breaks },
		{ "sharer-break", do_sharer_break },
		{ "nested-sharer-maps", do_nested_sharer_maps },
		{ "sharer-executes", do_sharer_executes },
		{ "brother-maps", do_brother_maps },
		{ "leave", do_leave }, { "execute", do_execute },
		{ "open", do_open }, { NULL, NULL },
	};

	return take_steps(argc, argv, steps, 1);
}
