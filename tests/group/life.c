/* SPDX-License-Identifier: MIT */
#include "group_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* From the start of a group to its end. */

/* --- starting ------------------------------------------------------------- */

static char name[] = "true";
static char *const arguments[] = { name, NULL };

static void expect_einval(const struct vms_group_options *options)
{
	errno = 0;
	assert_null(vms_group_spawn(options, "/bin/true", arguments, NULL));
	assert_int_equal(errno, EINVAL);
}

static void wrong_options_are_einval(void **state)
{
	struct vms_group_options options = default_options();

	(void)state;
	expect_einval(NULL);
	options.struct_size = 0;
	expect_einval(&options);
	options = default_options();
	options.flags = 1u << 20;
	expect_einval(&options);
	options = default_options();
	options.policy = (enum vms_commit_policy)77;
	expect_einval(&options);
	options = default_options();
	options.faults.flags = 1u << 20;
	expect_einval(&options);
	options = default_options();
	options.faults.probability = 1.01;
	expect_einval(&options);
	options.faults.probability = -0.01;
	expect_einval(&options);
	options.faults.probability = 0.0 / 0.0;
	expect_einval(&options);
}

/* Of a program that is newer than the library. */
static void structs_may_be_newer(void **state)
{
	struct {
		struct vms_group_options known;
		size_t rest;
	} options = { default_options(), 0 };
	struct {
		struct vms_group_stats known;
		size_t rest;
	} stats = { { .struct_size = sizeof stats }, 5 };
	struct {
		struct vms_group_process known;
		size_t rest;
	} process = { { .struct_size = sizeof process }, 5 };
	struct asked asked;
	size_t cursor = 0;

	(void)state;
	options.known.struct_size = sizeof options;
	asked = start(&options.known, "exit=0");
	assert_int_equal(vms_group_get_stats(asked.group, &stats.known), 0);
	assert_int_equal(stats.known.processes, 1);
	assert_int_equal(stats.rest, 0);
	assert_int_equal(vms_group_next_process(asked.group, &cursor,
						&process.known), 1);
	assert_int_equal(process.known.pid, vms_group_first(asked.group));
	assert_int_equal(process.known.struct_size, sizeof process);
	assert_int_equal(process.rest, 0);
	stats.known.struct_size = SIZE_MAX;
	assert_int_equal(vms_group_get_stats(asked.group, &stats.known), -1);
	assert_int_equal(errno, E2BIG);
	finish(&asked);
	options.rest = 1;
	assert_null(vms_group_spawn(&options.known, "/bin/true", arguments,
				    NULL));
	assert_int_equal(errno, E2BIG);
}

static void wrong_arguments_are_einval(void **state)
{
	const struct vms_group_options options = default_options();
	char *const none[] = { NULL };

	(void)state;
	assert_null(vms_group_spawn(&options, NULL, arguments, NULL));
	assert_int_equal(errno, EINVAL);
	assert_null(vms_group_spawn(&options, "/bin/true", NULL, NULL));
	assert_int_equal(errno, EINVAL);
	assert_null(vms_group_spawn(&options, "/bin/true", none, NULL));
	assert_int_equal(errno, EINVAL);
}

static void wrong_structs_of_figures_are_einval(void **state)
{
	const struct vms_group_options options = default_options();
	struct asked asked = start(&options, "exit=0");
	struct vms_group_stats stats = { .struct_size = sizeof stats };
	struct vms_group_process process = { .struct_size = sizeof process };
	size_t cursor = 0;

	(void)state;
	assert_int_equal(vms_group_get_stats(NULL, &stats), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(vms_group_get_stats(asked.group, NULL), -1);
	/* The first release had less, but not that little. */
	stats.struct_size = offsetof(struct vms_group_stats, granted_again) - 1;
	assert_int_equal(vms_group_get_stats(asked.group, &stats), -1);
	assert_int_equal(vms_group_next_process(NULL, &cursor, &process), -1);
	assert_int_equal(vms_group_next_process(asked.group, NULL, &process),
			 -1);
	assert_int_equal(vms_group_next_process(asked.group, &cursor, NULL),
			 -1);
	process.struct_size = 0;
	assert_int_equal(vms_group_next_process(asked.group, &cursor,
						&process), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(cursor, 0);
	finish(&asked);
	vms_group_close(NULL);
}

static int open_descriptors(void)
{
	int count = 0;

	for (int i = 0; i < 256; i++)
		count += fcntl(i, F_GETFD) >= 0;
	return count;
}

static void a_program_that_cannot_be_started_says_why(void **state)
{
	const struct vms_group_options options = default_options();
	const int before = open_descriptors();

	(void)state;
	assert_null(vms_group_spawn(&options, "/nowhere/program", arguments,
				    NULL));
	assert_int_equal(errno, ENOENT);
	assert_null(vms_group_spawn(&options, "/etc/passwd", arguments, NULL));
	assert_int_equal(errno, EACCES);
	assert_null(vms_group_spawn(&options, "/", arguments, NULL));
	assert_int_equal(errno, EACCES);
	assert_int_equal(open_descriptors(), before);
	/* No child is left. */
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static void the_environment_is_the_one_given(void **state)
{
	const struct vms_group_options options = default_options();
	char words[][16] = { "sh", "-c", "exit $WANTED", "WANTED=42" };
	char *const shell[] = { words[0], words[1], words[2], NULL };
	char *const environment[] = { words[3], NULL };
	vms_group *group = vms_group_spawn(&options, "/bin/sh", shell,
					   environment);
	int event;

	(void)state;
	assert_non_null(group);
	while ((event = vms_group_serve(group, 5000)) !=
	       VMS_GROUP_FIRST_ENDED)
		assert_int_equal(event, VMS_GROUP_NOTHING);
	assert_int_equal(WEXITSTATUS(vms_group_status(group)), 42);
	vms_group_close(group);
}

/* --- ending --------------------------------------------------------------- */

static int status_after(const char *steps)
{
	const struct vms_group_options options = default_options();
	struct asked asked = start(&options, steps);
	int status;

	serve_until(&asked, VMS_GROUP_FIRST_ENDED);
	status = vms_group_status(asked.group);
	serve_until(&asked, VMS_GROUP_EMPTY);
	assert_int_equal(stats_of(asked.group).processes, 0);
	assert_int_equal(stats_of(asked.group).committed, 0);
	finish(&asked);
	return status;
}

static void the_status_is_that_of_the_first_process(void **state)
{
	int status;

	(void)state;
	assert_int_equal(status_after("mmap=10"), 0);
	status = status_after("mmap=10 exit=7");
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 7);
	status = status_after("mmap=10 raise=15");
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGTERM);
	status = status_after("mmap=200 raise=9");
	assert_int_equal(WTERMSIG(status), SIGKILL);
}

/* Also where it has ended before vms_group_spawn has returned. */
static void a_short_life_is_told(void **state)
{
	(void)state;
	for (int i = 0; i < 50; i++)
		assert_int_equal(status_after("exit=0"), 0);
}

static void a_stop_of_the_first_process_is_told(void **state)
{
	const struct vms_group_options options = default_options();
	struct asked asked = start(&options, "mmap=10 raise=19 mmap=20");

	(void)state;
	for (int stops = 0; stops < 1; stops++) {
		serve_until(&asked, VMS_GROUP_FIRST_STOPPED);
		assert_true(WIFSTOPPED(vms_group_status(asked.group)));
		assert_int_equal(WSTOPSIG(vms_group_status(asked.group)),
				 SIGSTOP);
		kill(vms_group_first(asked.group), SIGCONT);
	}
	serve_until(&asked, VMS_GROUP_EMPTY);
	assert_string_equal(asked.said, "mmap ok\nraise ok\nmmap ok\n");
	finish(&asked);
}

static void the_group_lives_on_after_its_first_process(void **state)
{
	const struct vms_group_options options = default_options();
	struct asked asked = start(&options, "orphan=20");
	struct vms_group_stats stats;

	(void)state;
	serve_until(&asked, VMS_GROUP_FIRST_ENDED);
	for (int i = 0; i < 20; i++)
		assert_int_equal(vms_group_serve(asked.group, 10),
				 VMS_GROUP_NOTHING);
	stats = stats_of(asked.group);
	assert_int_equal(stats.processes, 1);
	assert_in_range(stats.committed, 20 * MIB, 22 * MIB);
	assert_int_equal(vms_group_kill(asked.group, SIGTERM), 1);
	serve_until(&asked, VMS_GROUP_EMPTY);
	assert_int_equal(stats_of(asked.group).committed, 0);
	finish(&asked);
}

static void kill_reaches_processes_that_asked_for_nothing(void **state)
{
	const struct vms_group_options options = default_options();
	struct asked asked = start(&options, "orphan=0 orphan=0 stay");

	(void)state;
	serve_until_said(&asked, "stay now");
	assert_int_equal(vms_group_kill(asked.group, SIGTERM), 3);
	serve_until(&asked, VMS_GROUP_FIRST_ENDED);
	assert_int_equal(WTERMSIG(vms_group_status(asked.group)), SIGTERM);
	serve_until(&asked, VMS_GROUP_EMPTY);
	finish(&asked);
}

static pid_t wait_in_fork(void)
{
	const pid_t child = fork();

	if (child == 0) {
		alarm(3600);
		for (;;)
			pause();
	}
	return child;
}

/* It holds the descriptors that tell of the ends of the group's processes. */
static void a_fork_of_the_caller_may_live_beside_the_group(void **state)
{
	const struct vms_group_options options = default_options();
	struct asked asked = start(&options, "orphan=1 stay");
	pid_t child;

	(void)state;
	serve_until_said(&asked, "stay now");
	while (stats_of(asked.group).processes < 2)
		assert_int_equal(vms_group_serve(asked.group, 10),
				 VMS_GROUP_NOTHING);
	child = wait_in_fork();
	assert_true(child > 0);
	assert_int_equal(kill(child_in(asked.group), SIGKILL), 0);
	for (int i = 0; i < 10; i++)
		assert_int_equal(vms_group_serve(asked.group, 20),
				 VMS_GROUP_NOTHING);
	assert_int_equal(stats_of(asked.group).processes, 1);
	finish(&asked);
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

/* Each is found by way of the same parent, but belongs to one of them. */
static void groups_of_one_caller_are_separate(void **state)
{
	const struct vms_group_options options = default_options();
	struct asked one = start(&options, "mmap=20 stay");
	struct asked other = start(&options, "mmap=20 stay");
	const pid_t child = wait_in_fork();

	(void)state;
	serve_until_said(&one, "stay now");
	serve_until_said(&other, "stay now");
	assert_int_equal(vms_group_kill(one.group, SIGTERM), 1);
	serve_until(&one, VMS_GROUP_EMPTY);
	assert_int_equal(stats_of(one.group).committed, 0);
	assert_int_equal(kill(vms_group_first(other.group), 0), 0);
	assert_int_equal(vms_group_kill(other.group, SIGUSR1), 1);
	serve_until(&other, VMS_GROUP_FIRST_ENDED);
	assert_int_equal(WTERMSIG(vms_group_status(other.group)), SIGUSR1);
	finish(&one);
	finish(&other);
	/* What the caller started in another way is not theirs at all. */
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

/* --- the end of supervision ----------------------------------------------- */

static void after_close_requests_are_enosys(void **state)
{
	const struct vms_group_options options = default_options();
	char directory[] = "/tmp/vmspace-group-XXXXXX", path[64];
	struct asked asked;
	struct pollfd watched;
	pid_t first;
	int status;

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof path, "%s/go-on", directory);
	setenv("ASKER_GO_ON", path, 1);
	asked = start(&options, "mmap=10 wait mmap=10 mremap=2 fork mmap=1");
	serve_until_said(&asked, "wait now");
	first = vms_group_first(asked.group);
	vms_group_close(asked.group);
	close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	watched = (struct pollfd){ .fd = asked.lines, .events = POLLIN };
	/* It ends, or is ended; in no case it hangs. */
	while (poll(&watched, 1, -1) == 1) {
		ssize_t got = read(asked.lines, asked.said + asked.length,
				   sizeof asked.said - 1 - asked.length);

		if (got <= 0)
			break;
		asked.length += (size_t)got;
	}
	asked.said[asked.length] = '\0';
	unlink(path);
	rmdir(directory);
	kill(first, SIGKILL);
	assert_int_equal(waitpid(first, &status, 0), first);
	assert_string_equal(asked.said, "mmap ok\nwait now\nwait ok\n"
			    "mmap ENOSYS\nmremap ENOSYS\nfork ENOSYS\n"
			    "mmap ENOSYS\n");
	close(asked.lines);
}

static void the_descriptor_says_when_to_serve(void **state)
{
	const struct vms_group_options options = default_options();
	struct asked asked = start(&options, "stay");
	struct pollfd watched = { .fd = vms_group_descriptor(asked.group),
				  .events = POLLIN };

	(void)state;
	serve_until_said(&asked, "stay now");
	assert_int_equal(vms_group_serve(asked.group, 0), VMS_GROUP_NOTHING);
	assert_int_equal(poll(&watched, 1, 50), 0);
	kill(vms_group_first(asked.group), SIGKILL);
	assert_int_equal(poll(&watched, 1, -1), 1);
	serve_until(&asked, VMS_GROUP_FIRST_ENDED);
	finish(&asked);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrong_options_are_einval),
		cmocka_unit_test(structs_may_be_newer),
		cmocka_unit_test(wrong_arguments_are_einval),
		cmocka_unit_test(wrong_structs_of_figures_are_einval),
		cmocka_unit_test(a_program_that_cannot_be_started_says_why),
		cmocka_unit_test(the_environment_is_the_one_given),
		cmocka_unit_test(the_status_is_that_of_the_first_process),
		cmocka_unit_test(a_short_life_is_told),
		cmocka_unit_test(a_stop_of_the_first_process_is_told),
		cmocka_unit_test(the_group_lives_on_after_its_first_process),
		cmocka_unit_test(kill_reaches_processes_that_asked_for_nothing),
		cmocka_unit_test(
			a_fork_of_the_caller_may_live_beside_the_group),
		cmocka_unit_test(groups_of_one_caller_are_separate),
		cmocka_unit_test(the_descriptor_says_when_to_serve),
		cmocka_unit_test(after_close_requests_are_enosys),
	};

	need_groups(argc, argv);
	return cmocka_run_group_tests_name("group_life", tests, NULL, NULL);
}
