/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * A program that maps, moves its break and forks while a timer's signals and
 * those of its children come, with handlers that were set without SA_RESTART.
 * Natively these calls answer as if there were no signals; anything else is
 * counted.
 *
 * usage: stormy MMAPS BRKS FORKS TIMER_US
 */

static volatile sig_atomic_t alarms, children;

static void count_alarm(int number)
{
	(void)number;
	alarms++;
}

static void count_child(int number)
{
	(void)number;
	children++;
}

static void handle(int number, void (*handler)(int))
{
	struct sigaction action;

	memset(&action, 0, sizeof action);
	action.sa_handler = handler;
	if (sigaction(number, &action, NULL))
		abort();
}

static void set_timer(long microseconds)
{
	const struct itimerval timer = { { 0, microseconds },
					 { 0, microseconds } };

	if (setitimer(ITIMER_REAL, &timer, NULL))
		abort();
}

struct failures {
	unsigned long interrupted, other;
};

static void note(struct failures *failures)
{
	if (errno == EINTR)
		failures->interrupted++;
	else
		failures->other++;
}

static void map(unsigned long count, struct failures *failures)
{
	while (count-- > 0) {
		void *start = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (start == MAP_FAILED)
			note(failures);
		else
			munmap(start, 8192);
	}
}

/* By the system call: what a C library takes for success is not its answer. */
static void move_break(unsigned long count, struct failures *failures)
{
	const unsigned long start = (unsigned long)syscall(SYS_brk, 0);

	while (count-- > 0) {
		const unsigned long end = start + (count % 2 ? 65536 : 0);
		const unsigned long answer =
			(unsigned long)syscall(SYS_brk, end);

		if (answer == end)
			continue;
		errno = answer == (unsigned long)-1 ? errno : ENOMEM;
		note(failures);
	}
}

static void fork_children(unsigned long count, struct failures *failures)
{
	while (count-- > 0) {
		const pid_t child = fork();
		int status = 0;

		if (child == 0)
			_exit(0);
		if (child < 0) {
			note(failures);
			continue;
		}
		while (waitpid(child, &status, 0) < 0)
			if (errno != EINTR)
				abort();
		if (status)
			failures->other++;
	}
}

static unsigned long number(const char *text)
{
	return strtoul(text, NULL, 10);
}

int main(int argc, char **argv)
{
	struct failures failures = { 0, 0 };

	if (argc != 5)
		return 2;
	handle(SIGALRM, count_alarm);
	handle(SIGCHLD, count_child);
	set_timer((long)number(argv[4]));
	map(number(argv[1]), &failures);
	move_break(number(argv[2]), &failures);
	fork_children(number(argv[3]), &failures);
	set_timer(0);
	fprintf(stderr, "# %s mmaps, %s brks, %s forks, %d alarms, %d signals "
		"of children: %lu interrupted, %lu failed\n", argv[1], argv[2],
		argv[3], (int)alarms, (int)children, failures.interrupted,
		failures.other);
	return failures.interrupted || failures.other || alarms == 0 ? 1 : 0;
}
