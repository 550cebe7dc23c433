/* SPDX-License-Identifier: MIT */
#include "steps.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *out_text;
static int out;

void say(const char *step, const char *what)
{
	char line[128];
	int length = snprintf(line, sizeof line, "%s %s\n", step, what);

	if (write(out, line, (size_t)length) != length)
		_exit(99);
}

void say_number(const char *step, size_t number)
{
	char text[24];

	snprintf(text, sizeof text, "%zu", number);
	say(step, text);
}

const char *said_to(void)
{
	return out_text;
}

int answer(long result)
{
	return result == -1 ? errno : 0;
}

int wait_for(pid_t child)
{
	int status;

	if (child < 0 || waitpid(child, &status, 0) != child)
		return errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : ECHILD;
}

void *share(size_t bytes)
{
	void *start = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (start == MAP_FAILED)
		_exit(98);
	return start;
}

double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

int do_settled(size_t descriptor)
{
	size_t bytes;

	say("settled", "now");
	while (read((int)descriptor, &bytes, sizeof bytes) == sizeof bytes) {
		void *start = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		say("asked", start == MAP_FAILED ? strerrorname_np(errno) :
						   "ok");
		if (start != MAP_FAILED)
			munmap(start, bytes);
	}
	return 0;
}

static int take(const struct step *step, char *text, size_t unit)
{
	char *number = strchr(text, '=');

	if (number)
		*number++ = '\0';
	for (; step->name; step++)
		if (strcmp(text, step->name) == 0)
			return step->take(number ?
				strtoull(number, NULL, 10) * unit : 0);
	return ENOTSUP;
}

int take_steps(int argc, char **argv, const struct step *steps, size_t unit)
{
	if (argc < 2)
		return 2;
	/* If the test fails, no process stays behind. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	out_text = argv[1];
	out = atoi(out_text);
	for (int i = 2; i < argc; i++) {
		int error = take(steps, argv[i], unit);

		say(argv[i], error ? strerrorname_np(error) : "ok");
	}
	return 0;
}
