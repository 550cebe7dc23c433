/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/*
 * One thread makes a call while it hardly gets a processor, so that the call is
 * granted at once but made late. The main thread does something else in between:
 *
 *	fork-map   late fork; map as much as is granted
 *	file-fork  late mapping of a file over private memory; fork
 *
 * The program writes lines to a descriptor: "about", after which the test serves
 * nothing for UNSERVED_US, or "one processor"; "fork ", and what came of the main thread's fork; and "made", when all
 * its processes wait to be killed.
 *
 * usage: late DESCRIPTOR UNSERVED_US WHAT
 */

#define MIB ((size_t)1 << 20)
#define THREAD_STACK ((size_t)256 << 10)
#define BEFORE (4 * MIB)
/* More than half of the limit of the group. */
#define REPLACED (40 * MIB)
#define MOST_BEFORE (44 * MIB)
#define TOO_MUCH (1024 * MIB)
#define BOTH (PROT_READ | PROT_WRITE)

static atomic_bool is_over;
static atomic_int late_thread, busy_thread;
static int processors[2];
static int descriptor;
static useconds_t unserved;
static char *private_memory;
static int file = -1;

static void need(bool is_so)
{
	if (!is_so)
		_exit(1);
}

static bool find_processors(void)
{
	cpu_set_t allowed;
	int found = 0;

	if (sched_getaffinity(0, sizeof allowed, &allowed))
		return false;
	for (int i = 0; i < CPU_SETSIZE && found < 2; i++)
		if (CPU_ISSET(i, &allowed))
			processors[found++] = i;
	return found == 2;
}

static void run_on(int processor)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(processor, &set);
	need(sched_setaffinity(0, sizeof set, &set) == 0);
}

static void say(const char *line)
{
	need(dprintf(descriptor, "%s\n", line) > 0);
}

static void *map(size_t bytes)
{
	return mmap(NULL, bytes, BOTH, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static _Noreturn void wait_to_be_killed(void)
{
	for (;;)
		pause();
}

/* --- threads -------------------------------------------------------------- */

static void *use_up_processor(void *unused)
{
	(void)unused;
	run_on(processors[0]);
	busy_thread = gettid();
	while (!is_over)
		;
	return NULL;
}

static void fork_late(void)
{
	if (fork() == 0)
		wait_to_be_killed();
}

static void replace_late(void)
{
	need(mmap(private_memory, REPLACED, BOTH, MAP_SHARED | MAP_FIXED, file,
		  0) == private_memory);
}

static void *run_late(void *call)
{
	run_on(processors[0]);
	late_thread = gettid();
	usleep(unserved / 4);
	(*(void (**)(void))call)();
	return NULL;
}

/* The stacks are no mappings of their own, so the account of them is exact. */
static pthread_t begin(void *(*run)(void *), void *argument, char *stack)
{
	pthread_attr_t attributes;
	pthread_t thread = 0;

	need(pthread_attr_init(&attributes) == 0 &&
	     pthread_attr_setstack(&attributes, stack, THREAD_STACK) == 0 &&
	     pthread_create(&thread, &attributes, run, argument) == 0);
	return thread;
}

/*
 * The late call waits for its answer by now; or on a busy machine it has been
 * made, and its thread has ended.
 */
static void leave_no_time_for_late_thread(void)
{
	const struct sched_param none = { .sched_priority = 0 };
	const struct sched_param first = { .sched_priority = 1 };

	usleep(unserved / 2);
	need(sched_setscheduler(late_thread, SCHED_IDLE, &none) == 0 ||
	     errno == ESRCH);
	/* Who may not do this leaves the late thread a little time. */
	(void)sched_setscheduler(busy_thread, SCHED_FIFO, &first);
}

/* --- meanwhile ------------------------------------------------------------ */

static void map_all(void)
{
	while (map(MIB) != MAP_FAILED)
		;
}

static void fork_now(void)
{
	const pid_t child = fork();

	if (child < 0)
		say("fork refused");
	if (child != 0)
		return;
	say(private_memory[0] == 1 ? "fork copied private memory" :
				     "fork copied no private memory");
	wait_to_be_killed();
}

/* --- all ------------------------------------------------------------------ */

struct way {
	const char *name;
	void (*late)(void);
	void (*meanwhile)(void);
};

static const struct way *find_way(const char *name)
{
	static const struct way ways[] = {
		{ "fork-map", fork_late, map_all },
		{ "file-fork", replace_late, fork_now },
	};

	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
		if (strcmp(ways[i].name, name) == 0)
			return &ways[i];
	_exit(2);
}

static void prepare(const struct way *way)
{
	const size_t before = way->late == replace_late ? REPLACED : BEFORE;

	/*
	 * The supervisor looks at a sum above the peak, so the peak is made
	 * higher than what comes later; and before it refuses, so the account
	 * is exact from then on.
	 */
	private_memory = map(MOST_BEFORE);
	need(private_memory != MAP_FAILED &&
	     munmap(private_memory + before, MOST_BEFORE - before) == 0 &&
	     map(TOO_MUCH) == MAP_FAILED);
	private_memory[0] = 1;
	if (way->late != replace_late)
		return;
	file = memfd_create("late", MFD_CLOEXEC);
	need(file >= 0 && ftruncate(file, (off_t)REPLACED) == 0);
}

static void act(const struct way *way)
{
	static char stacks[2][THREAD_STACK];
	void (*late)(void) = way->late;
	pthread_t busy, other;

	prepare(way);
	busy = begin(use_up_processor, NULL, stacks[0]);
	other = begin(run_late, &late, stacks[1]);
	run_on(processors[1]);
	while (!late_thread || !busy_thread)
		;
	say("about");
	leave_no_time_for_late_thread();
	way->meanwhile();
	is_over = true;
	pthread_join(busy, NULL);
	pthread_join(other, NULL);
	say("made");
}

int main(int argc, char **argv)
{
	const struct way *way;

	if (argc < 4)
		return 2;
	descriptor = atoi(argv[1]);
	unserved = (useconds_t)atoi(argv[2]);
	way = find_way(argv[3]);
	if (find_processors())
		act(way);
	else
		say("one processor");
	wait_to_be_killed();
}
