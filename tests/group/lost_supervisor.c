/* SPDX-License-Identifier: MIT */
#include "group_fixture.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * The supervisor is killed at each system call of vms_group_spawn, in turn. The
 * first process may wait for it at that moment, and is to end in any case: the
 * program is one that ends by itself, and fails where its calls do.
 */

#define SYSTEM_CALL_STOP (SIGTRAP | 0x80)
#define LOOK_US 200

static _Noreturn void supervise(void)
{
	const struct vms_group_options options = default_options();
	char *arguments[] = { (char *)"true", NULL };
	vms_group *group;

	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	raise(SIGSTOP);
	group = vms_group_spawn(&options, "/bin/true", arguments, NULL);
	_exit(group ? 0 : 1);
}

static size_t read_file(const char *format, pid_t pid, char *text, size_t size)
{
	char path[64];
	ssize_t got;
	int file;

	snprintf(path, sizeof path, format, pid, pid);
	file = open(path, O_RDONLY | O_CLOEXEC);
	got = file < 0 ? 0 : read(file, text, size - 1);
	if (file >= 0)
		close(file);
	text[got > 0 ? got : 0] = '\0';
	return got > 0 ? (size_t)got : 0;
}

/* Whether a process waits in a system call, or has ended. */
static bool has_come_to_rest(pid_t pid)
{
	char text[128];

	return read_file("/proc/%d/syscall", pid, text, sizeof text) == 0 ||
		isdigit((unsigned char)text[0]);
}

/* Without the supervisor it can go no further. */
static void let_child_come_to_rest(pid_t supervisor)
{
	char text[32];

	if (read_file("/proc/%d/task/%d/children", supervisor, text,
		      sizeof text) == 0)
		return;
	while (!has_come_to_rest((pid_t)strtol(text, NULL, 10)))
		usleep(LOOK_US);
}

/* Returns whether the supervisor has stopped so often before it ended. */
static bool run_to_stop(pid_t supervisor, unsigned stops)
{
	int status;

	assert_int_equal(waitpid(supervisor, &status, 0), supervisor);
	assert_true(WIFSTOPPED(status));
	assert_int_equal(ptrace(PTRACE_SETOPTIONS, supervisor, NULL,
				PTRACE_O_TRACESYSGOOD), 0);
	while (stops > 0) {
		const int signal = WSTOPSIG(status) == SIGCHLD ? SIGCHLD : 0;

		assert_int_equal(ptrace(PTRACE_SYSCALL, supervisor, NULL,
					signal), 0);
		assert_int_equal(waitpid(supervisor, &status, 0), supervisor);
		if (!WIFSTOPPED(status)) {
			assert_int_equal(status, 0);
			return false;
		}
		stops -= WSTOPSIG(status) == SYSTEM_CALL_STOP;
	}
	return true;
}

static bool kill_at(unsigned stop)
{
	const pid_t supervisor = fork();
	bool reached;

	assert_true(supervisor >= 0);
	if (supervisor == 0)
		supervise();
	reached = run_to_stop(supervisor, stop);
	if (reached) {
		let_child_come_to_rest(supervisor);
		assert_int_equal(kill(supervisor, SIGKILL), 0);
	}
	while (waitpid(-1, NULL, 0) > 0)
		continue;
	assert_int_equal(errno, ECHILD);
	return reached;
}

static void no_process_waits_for_a_supervisor_that_died(void **state)
{
	unsigned stop = 1;

	(void)state;
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
	while (kill_at(stop))
		stop++;
	print_message("# killed at %u stops\n", stop - 1);
	assert_true(stop > 20);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_process_waits_for_a_supervisor_that_died),
	};

	need_groups(argc, argv);
	return cmocka_run_group_tests_name("group_lost_supervisor", tests, NULL,
					   NULL);
}
