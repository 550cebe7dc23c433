/* SPDX-License-Identifier: MIT */
#include "group_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MOST_STEPS 24
#define PATIENCE_S 900

static const char *program;

void need_groups(int argc, char **argv)
{
	if (argc < 2) {
		fprintf(stderr, "usage: %s ASKER\n", argv[0]);
		exit(2);
	}
	program = argv[1];
	/* No test may hang the machine, whatever the group does. */
	alarm(PATIENCE_S);
	if (vms_group_probe() == 0)
		return;
	printf("1..0 # SKIP vms_group_probe: %s\n", strerror(errno));
	exit(0);
}

const char *asker_path(void)
{
	return program;
}

void use_program(const char *path)
{
	program = path;
}

struct vms_group_options default_options(void)
{
	return (struct vms_group_options){
		.struct_size = sizeof(struct vms_group_options),
		.commit_limit = LIMIT,
		.policy = VMS_COMMIT_STRICT,
	};
}

struct asked start(const struct vms_group_options *options, const char *steps)
{
	struct asked asked = { .length = 0 };
	char words[512], number[12], *rest = NULL;
	char *arguments[MOST_STEPS + 3] = { (char *)program, number };
	size_t count = 2;
	int pipe_ends[2];

	assert_int_equal(pipe2(pipe_ends, O_CLOEXEC), 0);
	assert_int_equal(fcntl(pipe_ends[1], F_SETFD, 0), 0);
	snprintf(number, sizeof number, "%d", pipe_ends[1]);
	snprintf(words, sizeof words, "%s", steps);
	for (char *word = strtok_r(words, " ", &rest); word;
	     word = strtok_r(NULL, " ", &rest)) {
		assert_true(count < MOST_STEPS + 2);
		arguments[count++] = word;
	}
	asked.group = vms_group_spawn(options, program, arguments, NULL);
	assert_non_null(asked.group);
	asked.peak_most = options->policy == VMS_COMMIT_STRICT ?
		options->commit_limit : SIZE_MAX;
	close(pipe_ends[1]);
	asked.lines = pipe_ends[0];
	assert_int_equal(fcntl(asked.lines, F_SETFL, O_NONBLOCK), 0);
	return asked;
}

static void read_lines(struct asked *asked)
{
	ssize_t got;

	while ((got = read(asked->lines, asked->said + asked->length,
			   sizeof asked->said - 1 - asked->length)) > 0)
		asked->length += (size_t)got;
	asked->said[asked->length] = '\0';
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

void serve_until(struct asked *asked, enum vms_group_event event)
{
	const double until = now() + PATIENCE_S;
	int came;

	do {
		came = vms_group_serve(asked->group, 100);
		assert_int_not_equal(came, -1);
		read_lines(asked);
		if (now() > until)
			fail_msg("no event %d in time; said:\n%s", event,
				 asked->said);
	} while (came != (int)event);
}

void serve_until_said(struct asked *asked, const char *line)
{
	const double until = now() + PATIENCE_S;

	for (read_lines(asked); !strstr(asked->said, line);
	     read_lines(asked)) {
		assert_int_not_equal(vms_group_serve(asked->group, 10), -1);
		if (now() > until)
			fail_msg("\"%s\" not said in time, but:\n%s", line,
				 asked->said);
	}
}

struct vms_group_stats stats_of(vms_group *group)
{
	struct vms_group_stats stats = { .struct_size = sizeof stats };

	assert_int_equal(vms_group_get_stats(group, &stats), 0);
	return stats;
}

pid_t child_in(vms_group *group)
{
	struct vms_group_process process = { .struct_size = sizeof process };
	size_t cursor = 0;

	while (vms_group_next_process(group, &cursor, &process) == 1)
		if (!process.ended && process.pid != vms_group_first(group))
			return process.pid;
	return 0;
}

static void expect_nothing_left(vms_group *group)
{
	struct vms_group_stats stats = stats_of(group);

	assert_int_equal(stats.processes, 0);
	assert_int_equal(stats.committed, stats.shared);
}

void expect_said(const struct vms_group_options *options, const char *steps,
		 const char *said)
{
	struct asked asked = start(options, steps);

	serve_until(&asked, VMS_GROUP_EMPTY);
	assert_string_equal(asked.said, said);
	expect_nothing_left(asked.group);
	finish(&asked);
}

/* A7 of docs/invariants.md. */
static void expect_possible_peak(const struct asked *asked)
{
	const struct vms_group_stats stats = stats_of(asked->group);

	if (stats.committed_peak > asked->peak_most)
		fail_msg("peak commit %zu KiB of %zu KiB, %llu refusals",
			 stats.committed_peak >> 10, stats.limit >> 10,
			 (unsigned long long)stats.refusals);
}

void finish(struct asked *asked)
{
	const double until = now() + PATIENCE_S;

	while (vms_group_kill(asked->group, SIGKILL) > 0) {
		(void)vms_group_serve(asked->group, 10);
		assert_true(now() < until);
	}
	expect_possible_peak(asked);
	vms_group_close(asked->group);
	close(asked->lines);
}
