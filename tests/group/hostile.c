/* SPDX-License-Identifier: MIT */
#include "settled.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/*
 * Groups whose processes are killed, stopped, interrupted or replaced while
 * they ask, ask for what makes no sense, or lose their supervisor.
 *
 * VMSPACE_GROUP_SEED gives other random moments.
 */

static const char *troubled, *odd_calls;

static struct vms_group_options limited_to(size_t bytes)
{
	struct vms_group_options options = default_options();

	options.commit_limit = bytes;
	return options;
}

static void expect_nothing_left(vms_group *group)
{
	struct vms_group_stats stats = stats_of(group);

	assert_int_equal(stats.processes, 0);
	assert_int_equal(stats.committed, 0);
	assert_int_equal(descendants().living, 0);
	assert_int_equal(descendants().zombies, 0);
}

/* --- troubles ------------------------------------------------------------- */

static unsigned long seed(void)
{
	const char *text = getenv("VMSPACE_GROUP_SEED");
	unsigned long value = text ? strtoul(text, NULL, 10) : 4;

	print_message("# VMSPACE_GROUP_SEED=%lu\n", value);
	return value;
}

/* Of victims that have ended: what they had must not change any more. */
static void let_orphans_end(struct asked *asked)
{
	serve_until_said(asked, "settled now\n");
	while (descendants().living > 1)
		assert_int_not_equal(vms_group_serve(asked->group, 10), -1);
}

/* The step's victims meet nothing but ENOMEM, and the sum is right after it. */
static void expect_survival(const char *step, unsigned long number)
{
	const struct vms_group_options options = limited_to(256 * MIB);
	struct asks asks = make_asks();
	struct asked asked;
	char steps[80], ok[40];

	use_program(troubled);
	snprintf(steps, sizeof steps, "%s=%lu settled=%d", step, number,
		 asks.from);
	snprintf(ok, sizeof ok, "%s ok\n", step);
	asked = start(&options, steps);
	let_orphans_end(&asked);
	expect_right_sum(&asked, &asks);
	/* There was room for all of it; the one refusal is of the last ask. */
	assert_int_equal(stats_of(asked.group).refusals, 1);
	assert_true(stats_of(asked.group).committed_peak <= 256 * MIB + MIB);
	let_go_on(&asks);
	serve_until(&asked, VMS_GROUP_EMPTY);
	assert_non_null(strstr(asked.said, ok));
	assert_null(strstr(asked.said, "too little"));
	assert_int_equal(vms_group_status(asked.group), 0);
	expect_nothing_left(asked.group);
	finish(&asked);
}

static void processes_may_be_killed_while_they_ask(void **state)
{
	(void)state;
	expect_survival("kills", seed());
}

static void processes_may_be_stopped_while_they_ask(void **state)
{
	(void)state;
	expect_survival("stops", seed());
}

static void signals_do_not_change_what_calls_answer(void **state)
{
	(void)state;
	expect_survival("signals", seed());
}

/* Whether or not the handler was set to restart calls. */
static void interrupted_calls_are_made_again(void **state)
{
	(void)state;
	expect_survival("interruptions", seed());
}

static void processes_may_execute_programs_while_they_ask(void **state)
{
	(void)state;
	expect_survival("images", 40);
}

/* The thread that is refused may be gone when its stack is to be read. */
static void stacks_of_threads_that_end_are_not_waited_for(void **state)
{
	struct vms_group_options options = default_options();
	struct asked asked;

	(void)state;
	options.flags = VMS_GROUP_BACKTRACES;
	use_program(troubled);
	asked = start(&options, "refused-image=200");
	serve_until(&asked, VMS_GROUP_EMPTY);
	assert_int_equal(vms_group_status(asked.group), 0);
	assert_true(stats_of(asked.group).refusals > 5);
	expect_nothing_left(asked.group);
	finish(&asked);
}

/* --- calls that make no sense --------------------------------------------- */

#define MOST_SAID sizeof ((struct asked *)NULL)->said

/* To its end, without a group. */
static void run_bare(const char *step, char *said)
{
	int ends[2];
	char number[12];
	size_t length = 0;
	ssize_t got;
	pid_t child;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	snprintf(number, sizeof number, "%d", ends[1]);
	child = fork();
	if (child == 0) {
		fcntl(ends[1], F_SETFD, 0);
		execl(odd_calls, odd_calls, number, step, NULL);
		_exit(127);
	}
	close(ends[1]);
	while ((got = read(ends[0], said + length,
			   MOST_SAID - 1 - length)) > 0)
		length += (size_t)got;
	said[length] = '\0';
	close(ends[0]);
	/* Its orphans too, as the caller has adopted those of groups. */
	while (waitpid(-1, NULL, 0) > 0)
		continue;
}

/* A line as bare; or where too much is asked for ENOMEM in its place. */
static bool is_as_bare(const char *line, const char *bare)
{
	static const char large[] = " large ", answer[] = "ENOMEM ok";
	const char *kind = strstr(line, large);

	return strcmp(line, bare) == 0 ||
		(kind && strncmp(line, bare, (size_t)(kind - line)) == 0 &&
		 strcmp(kind + sizeof large - 1, answer) == 0);
}

static void expect_as_bare(const char *step)
{
	const struct vms_group_options options = default_options();
	char said[MOST_SAID], *rest = NULL, *bare_rest = NULL;
	char *line, *bare;
	struct asked asked;
	size_t lines = 0;

	run_bare(step, said);
	use_program(odd_calls);
	asked = start(&options, step);
	serve_until(&asked, VMS_GROUP_EMPTY);
	expect_nothing_left(asked.group);
	line = strtok_r(asked.said, "\n", &rest);
	bare = strtok_r(said, "\n", &bare_rest);
	for (; line && bare; lines++) {
		if (!is_as_bare(line, bare))
			fail_msg("\"%s\", but bare \"%s\"", line, bare);
		line = strtok_r(NULL, "\n", &rest);
		bare = strtok_r(NULL, "\n", &bare_rest);
	}
	assert_null(line);
	assert_null(bare);
	assert_true(lines > 4);
	finish(&asked);
}

#define AS_BARE(call) \
	static void odd_##call##s_answer_as_without_a_group(void **state) \
	{ \
		(void)state; \
		expect_as_bare(#call); \
	}

AS_BARE(mmap)
AS_BARE(mprotect)
AS_BARE(mremap)
AS_BARE(brk)
AS_BARE(clone)
AS_BARE(exec)
AS_BARE(shmget)

/* They answer what the kernel does, and are neither counted nor refused. */
static void what_no_kernel_serves_is_no_request(void **state)
{
	static const char *const once = "hopeless", *const twice =
		"hopeless hopeless";
	struct vms_group_options options = default_options();
	char bare[MOST_SAID];
	struct asked asked;
	uint64_t requests;

	(void)state;
	use_program(odd_calls);
	run_bare(once, bare);
	asked = start(&options, once);
	serve_until(&asked, VMS_GROUP_EMPTY);
	assert_string_equal(asked.said, bare);
	assert_int_equal(stats_of(asked.group).refusals, 0);
	requests = stats_of(asked.group).requests;
	finish(&asked);
	options.faults.from = requests + 1;
	asked = start(&options, twice);
	serve_until(&asked, VMS_GROUP_EMPTY);
	assert_int_equal(stats_of(asked.group).requests, requests);
	assert_int_equal(stats_of(asked.group).refusals, 0);
	assert_int_equal(strlen(asked.said), 2 * strlen(bare));
	finish(&asked);
}

static void a_failed_exec_leaves_a_free_copy_free(void **state)
{
	struct vms_group_options options = default_options();

	(void)state;
	options.flags = VMS_GROUP_FORK_FREE;
	use_program(odd_calls);
	expect_said(&options, "failed-exec=40", "child ok\nfailed-exec ok\n");
}

static void a_segment_that_exists_is_not_charged_again(void **state)
{
	const struct vms_group_options options = default_options();

	(void)state;
	use_program(odd_calls);
	expect_said(&options, "same-segment=40", "same-segment ok\n");
}

/* Where nothing would tell how large the heap is. */
static void the_break_cannot_be_put_elsewhere(void **state)
{
	const struct vms_group_options options = default_options();
	unsigned size;
	char said[64];

	(void)state;
	use_program(odd_calls);
	expect_said(&options, "mm-map", "mm-map EINVAL\n");
	expect_said(&options, "mm-map-high", "mm-map-high EINVAL\n");
	expect_said(&options, "mm-brk mm-start-brk",
		    "mm-brk EINVAL\nmm-start-brk EINVAL\n");
	snprintf(said, sizeof said, "mm-map-size %s\n",
		 prctl(PR_SET_MM, PR_SET_MM_MAP_SIZE, &size, 0, 0) ?
		 strerrorname_np(errno) : "ok");
	expect_said(&options, "mm-map-size", said);
}

/* --- no supervisor -------------------------------------------------------- */

#define LEFT_ALONE 20
#define TOLD "left alone ENOSYS\n"

/* Never returns: it is killed. */
static _Noreturn void supervise(const struct vms_group_options *options,
				int out)
{
	char number[12], step[24];
	char *arguments[] = { (char *)troubled, number, step, NULL };
	vms_group *group;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	fcntl(out, F_SETFD, 0);
	snprintf(number, sizeof number, "%d", out);
	snprintf(step, sizeof step, "orphanage=%d", LEFT_ALONE);
	group = vms_group_spawn(options, troubled, arguments, NULL);
	/* It must not keep the pipe open. */
	close(out);
	while (group && vms_group_serve(group, -1) >= 0)
		continue;
	_exit(1);
}

/* Until the text is there, or the pipe is closed by all. */
static size_t read_until(int in, const char *text, char *said, size_t length)
{
	ssize_t got;

	while (!(text && strstr(said, text))) {
		got = read(in, said + length, MOST_SAID - 1 - length);
		if (got <= 0)
			break;
		length += (size_t)got;
		said[length] = '\0';
	}
	return length;
}

static size_t count_of(const char *text, const char *said)
{
	size_t count = 0;

	for (; (said = strstr(said, text)); said += strlen(text))
		count++;
	return count;
}

static void expect_errors_after_death(size_t limit, unsigned flags)
{
	struct vms_group_options options = limited_to(limit);
	char said[MOST_SAID] = "";
	int ends[2];
	size_t length;
	pid_t supervisor;

	options.flags = flags;
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	supervisor = fork();
	if (supervisor == 0)
		supervise(&options, ends[1]);
	close(ends[1]);
	length = read_until(ends[0], "asking now\n", said, 0);
	assert_int_equal(kill(supervisor, SIGKILL), 0);
	read_until(ends[0], NULL, said, length);
	close(ends[0]);
	assert_int_equal(count_of(TOLD, said), 2 * LEFT_ALONE);
	assert_int_equal(count_of("left alone", said), 2 * LEFT_ALONE);
	while (waitpid(-1, NULL, 0) > 0)
		continue;
}

static void without_a_supervisor_requests_are_enosys(void **state)
{
	(void)state;
	expect_errors_after_death(256 * MIB, 0);
}

/* Some wait for a refusal, and one may be traced, at that moment. */
static void without_a_supervisor_the_refused_go_on_too(void **state)
{
	(void)state;
	expect_errors_after_death(24 * MIB, VMS_GROUP_BACKTRACES);
}

#define CASE(name) cmocka_unit_test_teardown(name, clear_up)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		CASE(processes_may_be_killed_while_they_ask),
		CASE(processes_may_be_stopped_while_they_ask),
		CASE(signals_do_not_change_what_calls_answer),
		CASE(interrupted_calls_are_made_again),
		CASE(processes_may_execute_programs_while_they_ask),
		CASE(odd_mmaps_answer_as_without_a_group),
		CASE(odd_mprotects_answer_as_without_a_group),
		CASE(odd_mremaps_answer_as_without_a_group),
		CASE(odd_brks_answer_as_without_a_group),
		CASE(odd_clones_answer_as_without_a_group),
		CASE(odd_execs_answer_as_without_a_group),
		CASE(odd_shmgets_answer_as_without_a_group),
		CASE(what_no_kernel_serves_is_no_request),
		CASE(a_failed_exec_leaves_a_free_copy_free),
		CASE(a_segment_that_exists_is_not_charged_again),
		CASE(the_break_cannot_be_put_elsewhere),
		CASE(without_a_supervisor_requests_are_enosys),
		CASE(without_a_supervisor_the_refused_go_on_too),
		CASE(stacks_of_threads_that_end_are_not_waited_for),
	};

	if (argc < 3)
		return 2;
	need_groups(argc, argv);
	troubled = argv[1];
	odd_calls = argv[2];
	return cmocka_run_group_tests_name("group_hostile", tests, NULL, NULL);
}
