/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/*
 * A thread forks that hardly gets a processor, and another one maps as much as
 * it can meanwhile: so the fork is granted before, and made after that. Lines
 * are written to a descriptor: "about", after which nothing is to be served for
 * UNSERVED_US, or "one processor"; and "made", when all wait to be killed.
 *
 * usage: late-fork DESCRIPTOR UNSERVED_US
 */

#define MIB ((size_t)1 << 20)
/* With the stacks of its threads, a fork fits into what is left. */
#define BEFORE (4 * MIB)

static atomic_bool mapped;
static atomic_int forker;
static int processors[2];
static int descriptor;
static useconds_t unserved;

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
	if (sched_setaffinity(0, sizeof set, &set))
		_exit(1);
}

static void *use_up_processor(void *unused)
{
	(void)unused;
	run_on(processors[0]);
	while (!mapped)
		;
	return NULL;
}

static void *fork_late(void *unused)
{
	(void)unused;
	run_on(processors[0]);
	forker = gettid();
	usleep(unserved / 4);
	if (fork() == 0)
		for (;;)
			pause();
	return NULL;
}

static bool map(size_t bytes)
{
	return mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
}

static void say(const char *line)
{
	if (dprintf(descriptor, "%s\n", line) < 0)
		_exit(1);
}

/*
 * The fork waits for its answer by now; or on a busy machine it has been made,
 * and its thread has ended.
 */
static void leave_no_time_for_forker(void)
{
	const struct sched_param none = { .sched_priority = 0 };

	usleep(unserved / 2);
	if (sched_setscheduler(forker, SCHED_IDLE, &none) && errno != ESRCH)
		_exit(1);
}

static void map_all(void)
{
	while (map(MIB))
		;
	mapped = true;
}

int main(int argc, char **argv)
{
	pthread_t threads[2];

	if (argc < 3)
		return 2;
	descriptor = atoi(argv[1]);
	unserved = (useconds_t)atoi(argv[2]);
	if (find_processors()) {
		if (!map(BEFORE) ||
		    pthread_create(&threads[0], NULL, use_up_processor, NULL) ||
		    pthread_create(&threads[1], NULL, fork_late, NULL))
			return 1;
		run_on(processors[1]);
		while (!forker)
			;
		say("about");
		leave_no_time_for_forker();
		map_all();
		pthread_join(threads[0], NULL);
		pthread_join(threads[1], NULL);
		say("made");
	} else {
		say("one processor");
	}
	for (;;)
		pause();
}
