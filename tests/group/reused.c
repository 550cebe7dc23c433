/* SPDX-License-Identifier: MIT */
#include "group_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * The number of a process that has ended is a stranger's, before the group has
 * heard of the end. So that a number can be chosen, all of it is in a namespace
 * of processes of the test's own.
 */

/* --- the namespace -------------------------------------------------------- */

static bool write_text(const char *path, const char *text)
{
	const int file = open(path, O_WRONLY | O_CLOEXEC);
	const ssize_t length = (ssize_t)strlen(text);
	const bool written = file >= 0 && write(file, text, (size_t)length) ==
		length;

	if (file >= 0)
		close(file);
	return written;
}

/* By one's own right, or as the root of a namespace of users. */
static bool leave_namespaces(void)
{
	const int flags = CLONE_NEWPID | CLONE_NEWNS;
	char map[32];

	snprintf(map, sizeof map, "0 %u 1", (unsigned)geteuid());
	return unshare(flags) == 0 ||
		(unshare(flags | CLONE_NEWUSER) == 0 &&
		 write_text("/proc/self/uid_map", map));
}

static bool mount_proc(void)
{
	return mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
		mount("proc", "/proc", "proc", 0, NULL) == 0;
}

/* A child that has a number; -1: errno says why not. */
static pid_t fork_as(pid_t number)
{
	const struct clone_args arguments = {
		.exit_signal = SIGCHLD,
		.set_tid = (uintptr_t)&number,
		.set_tid_size = 1,
	};

	return (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
}

/* Everything else is done by the first process of the namespace. */
static void enter_namespace(void)
{
	int status;
	pid_t child;

	if (!leave_namespaces()) {
		printf("1..0 # SKIP unshare: %s\n", strerror(errno));
		exit(0);
	}
	child = fork();
	if (child != 0) {
		if (child < 0 || waitpid(child, &status, 0) != child)
			exit(1);
		exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
	}
	/* All others end with it. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

/* What the test needs in it. */
static void probe_namespace(void)
{
	const pid_t number = 1000;
	pid_t child;

	if (!mount_proc()) {
		printf("1..0 # SKIP mount: %s\n", strerror(errno));
		exit(0);
	}
	child = fork_as(number);
	if (child == 0)
		_exit(0);
	if (child != number) {
		printf("1..0 # SKIP clone3 with a number: %s\n",
		       strerror(errno));
		exit(0);
	}
	(void)waitpid(child, NULL, 0);
}

/* --- the test ------------------------------------------------------------- */

/* Unserved: the group does not hear of it. */
static void let_child_end(pid_t child, const char *path)
{
	close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	for (int i = 0; kill(child, 0) == 0; i++) {
		assert_true(i < 10000);
		usleep(1000);
	}
	unlink(path);
}

static void no_stranger_is_killed(void **state)
{
	const struct vms_group_options options = default_options();
	char directory[] = "/tmp/vmspace-group-XXXXXX", path[64];
	struct asked asked;
	pid_t child, stranger;
	int status;

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof path, "%s/go-on", directory);
	setenv("ASKER_GO_ON", path, 1);
	asked = start(&options, "fork-wait=1 stay");
	serve_until_said(&asked, "wait now");
	child = child_in(asked.group);
	assert_true(child > 0);
	let_child_end(child, path);
	rmdir(directory);
	stranger = fork_as(child);
	if (stranger == 0)
		for (;;)
			pause();
	assert_int_equal(stranger, child);
	assert_int_equal(vms_group_kill(asked.group, SIGTERM), 1);
	serve_until(&asked, VMS_GROUP_FIRST_ENDED);
	assert_int_equal(WTERMSIG(vms_group_status(asked.group)), SIGTERM);
	assert_int_equal(kill(stranger, SIGKILL), 0);
	assert_int_equal(waitpid(stranger, &status, 0), stranger);
	assert_int_equal(WTERMSIG(status), SIGKILL);
	serve_until(&asked, VMS_GROUP_EMPTY);
	finish(&asked);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_stranger_is_killed),
	};

	need_groups(argc, argv);
	enter_namespace();
	probe_namespace();
	return cmocka_run_group_tests_name("group_reused", tests, NULL, NULL);
}
