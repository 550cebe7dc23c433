/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/user.h>

#include "signs_fixture.h"
#include "space/inside.h"

/*
 * A process may be killed at any instruction, while another has its table: a child that
 * it was the parent of, say. What is in the table then is what was there at that
 * instruction, so a tracer stops the process after each and looks at the table.
 */

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbb"

/* Instructions of which there would be no end. */
#define STEPS_MOST 200000

static void be_traced(int answer)
{
	vms_space *one = open_named(A);
	const int fd = table_after(-1);

	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
		_exit(2);
	CHECK(one && write(answer, &fd, sizeof(fd)) == (ssize_t)sizeof(fd));
	raise(SIGSTOP);
	vmsi_space_tell(one, VMSI_SIGN_BUFFERS, B);
	vmsi_space_tell(one, VMSI_SIGN_SPACE, A);
	(void)vms_space_close(one);
	_exit(0);
}

/* The table of the process, opened as others open it; -1: it cannot be traced. */
static int start_traced(pid_t *traced)
{
	int ends[2], fd, status;
	char path[64];

	assert_int_equal(pipe(ends), 0);
	*traced = fork();
	if (*traced == 0)
		be_traced(ends[1]);
	close(ends[1]);
	status = (int)read(ends[0], &fd, sizeof(fd));
	close(ends[0]);
	if (status != (int)sizeof(fd)) {
		assert_int_equal(waitpid(*traced, &status, 0), *traced);
		assert_int_equal(WEXITSTATUS(status), 2);
		return -1;
	}
	assert_int_equal(waitpid(*traced, &status, 0), *traced);
	assert_true(WIFSTOPPED(status));
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)*traced, fd);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

/* Returns false where it has ended, or cannot go on by single instructions. */
static bool step(pid_t traced)
{
	int status;

	return ptrace(PTRACE_SINGLESTEP, traced, NULL, NULL) == 0 &&
		waitpid(traced, &status, 0) == traced && WIFSTOPPED(status);
}

struct seen {
	unsigned wholes[3]; /* instructions where it is A's, B's, free */
	unsigned halves;
};

static void look(int fd, struct seen *seen)
{
	struct vmsi_sign sign;

	assert_true(read_sign(fd, 0, &sign));
	if (sign.sequence % 2) {
		seen->halves++;
	} else if (sign.kind == VMSI_SIGN_SPACE) {
		assert_string_equal(sign.name, A);
		assert_true(sign.start + (1 << 20) == sign.end);
		seen->wholes[0]++;
	} else if (sign.kind == VMSI_SIGN_BUFFERS) {
		assert_string_equal(sign.name, B);
		assert_true(sign.start + (1 << 20) == sign.end);
		seen->wholes[1]++;
	} else {
		assert_int_equal(sign.kind, VMSI_SIGN_FREE);
		assert_true(sign.name[0] == 0 && sign.start == 0 && sign.end == 0);
		seen->wholes[2]++;
	}
}

static void each_instruction_leaves_what_is_whole_or_says_so(void **state)
{
	struct seen seen = { .halves = 0 };
	unsigned steps = 0;
	pid_t traced;
	const int fd = start_traced(&traced);

	(void)state;
	if (fd < 0) {
		print_message("nobody may be traced here\n");
		skip();
	}
	for (; steps < STEPS_MOST && step(traced); steps++)
		look(fd, &seen);
	close(fd);
	if (steps == 0) {
		kill(traced, SIGKILL);
		waitpid(traced, NULL, 0);
		print_message("no process goes on by single instructions here\n");
		skip();
	}
	assert_true(steps < STEPS_MOST);
	for (int i = 0; i < 3; i++)
		assert_true(seen.wholes[i] > 0);
	assert_true(seen.halves > 3);
}

static void who_is_killed_midway_leaves_a_half(void **state)
{
	struct vmsi_sign sign = { .sequence = 0 };
	unsigned steps = 0;
	pid_t traced;
	const int fd = start_traced(&traced);
	int status;

	(void)state;
	if (fd < 0)
		skip();
	while (steps < STEPS_MOST && sign.sequence % 2 == 0 && step(traced)) {
		steps++;
		assert_true(read_sign(fd, 0, &sign));
	}
	kill(traced, SIGKILL);
	assert_int_equal(waitpid(traced, &status, 0), traced);
	if (steps == 0)
		skip();
	assert_true(WIFSIGNALED(status));
	assert_true(read_sign(fd, 0, &sign) && sign.sequence % 2 == 1);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_instruction_leaves_what_is_whole_or_says_so),
		cmocka_unit_test(who_is_killed_midway_leaves_a_half),
	};

	return cmocka_run_group_tests_name("space_signs_killed", tests, NULL, NULL);
}
