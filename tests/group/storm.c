/* SPDX-License-Identifier: MIT */
#include "group_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * Signals whose handlers do not restart calls come in a storm, with processes
 * beside that leave the supervisor little time, as the caller and, where that is
 * root, as another user. No call may be told of a signal.
 *
 * usage: storm STORMY [--operations N] [--busy N]: so many mmaps, as many brks,
 * and a fiftieth of it forks; and busy processes.
 */

#define OTHER_USER 65534
#define OPERATIONS_USUAL 4000
#define OPERATIONS_A_FORK 50
#define TIMER_US "300"

static const char *stormy;
static unsigned long operations = OPERATIONS_USUAL;
static unsigned long busy = 2;

/* A program that another user may not reach by its path can be opened. */
static _Noreturn void supervise(uid_t user, int program)
{
	struct vms_group_options options = default_options();
	char path[32], mmaps[24], forks[24];
	char *arguments[] = { (char *)"stormy", mmaps, mmaps, forks,
			      (char *)TIMER_US, NULL };
	struct vms_group_stats stats = { .struct_size = sizeof stats };
	vms_group *group;
	int event;

	options.commit_limit = (size_t)256 << 20;
	snprintf(path, sizeof path, "/proc/self/fd/%d", program);
	snprintf(mmaps, sizeof mmaps, "%lu", operations);
	snprintf(forks, sizeof forks, "%lu", operations / OPERATIONS_A_FORK);
	if (user != geteuid() &&
	    (setgroups(0, NULL) || setresgid(user, user, user) ||
	     setresuid(user, user, user)))
		_exit(100);
	/* Its own /proc is root's otherwise. */
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	group = vms_group_spawn(&options, path, arguments, NULL);
	if (!group)
		_exit(101);
	do
		event = vms_group_serve(group, -1);
	while (event >= 0 && event != VMS_GROUP_EMPTY);
	if (event < 0 || vms_group_get_stats(group, &stats) || stats.refusals)
		_exit(102);
#ifdef __x86_64__
	if (stats.interruptible)
		_exit(103);
#endif
	event = vms_group_status(group);
	vms_group_close(group);
	_exit(WIFEXITED(event) ? WEXITSTATUS(event) : 104);
}

static void expect_calm(uid_t user)
{
	const int program = open(stormy, O_PATH);
	const pid_t supervisor = fork();
	int status;

	assert_true(program >= 0 && supervisor >= 0);
	if (supervisor == 0)
		supervise(user, program);
	close(program);
	assert_int_equal(waitpid(supervisor, &status, 0), supervisor);
	assert_int_equal(status, 0);
}

static void no_call_is_told_of_a_signal(void **state)
{
	(void)state;
	expect_calm(geteuid());
}

static void nor_is_that_of_an_ordinary_user(void **state)
{
	(void)state;
	if (geteuid() != 0) {
		print_message("# the caller is one\n");
		return;
	}
	expect_calm(OTHER_USER);
}

static pid_t *start_busy(void)
{
	pid_t *list = calloc(busy + 1, sizeof *list);

	for (unsigned long i = 0; list && i < busy; i++) {
		list[i] = fork();
		if (list[i] == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
			for (volatile unsigned long turn = 0;; turn++)
				continue;
		}
	}
	return list;
}

static void end_busy(pid_t *list)
{
	for (unsigned long i = 0; list && i < busy; i++)
		if (list[i] > 0) {
			kill(list[i], SIGKILL);
			waitpid(list[i], NULL, 0);
		}
	free(list);
}

static void take_arguments(int argc, char **argv)
{
	for (int i = 2; i + 1 < argc; i += 2) {
		const unsigned long number = strtoul(argv[i + 1], NULL, 10);

		if (strcmp(argv[i], "--operations") == 0)
			operations = number;
		else if (strcmp(argv[i], "--busy") == 0)
			busy = number;
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_call_is_told_of_a_signal),
		cmocka_unit_test(nor_is_that_of_an_ordinary_user),
	};
	pid_t *list;
	int failed;

	need_groups(argc, argv);
	stormy = argv[1];
	take_arguments(argc, argv);
	/* The long form takes as long as it takes. */
	if (operations > OPERATIONS_USUAL)
		alarm(0);
	list = start_busy();
	failed = cmocka_run_group_tests_name("group_storm", tests, NULL, NULL);
	end_busy(list);
	return failed;
}
