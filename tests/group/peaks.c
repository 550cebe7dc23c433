/* SPDX-License-Identifier: MIT */
#include "group_fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The peak is what was there at one time, and nothing of it twice. */

/* Of the program itself. */
#define SLACK (4 * MIB)

static char directory[] = "/tmp/vmspace-peaks-XXXXXX";
static char go_on[sizeof directory + 8];

static int make_directory(void **state)
{
	(void)state;
	if (!mkdtemp(directory))
		return -1;
	snprintf(go_on, sizeof go_on, "%s/go-on", directory);
	return setenv("HOLDER_GO_ON", go_on, 1);
}

static int remove_directory(void **state)
{
	(void)state;
	unlink(go_on);
	return rmdir(directory);
}

/* Until the group has looked at its processes twice more, by itself. */
static void let_look(struct asked *asked)
{
	const uint64_t before = stats_of(asked->group).looks;

	while (stats_of(asked->group).looks < before + 2)
		assert_int_not_equal(vms_group_serve(asked->group, 10), -1);
	close(open(go_on, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
}

static void expect_peak(struct asked *asked, size_t peak)
{
	struct vms_group_stats stats;

	serve_until(asked, VMS_GROUP_EMPTY);
	assert_null(strstr(asked->said, "ENOMEM"));
	stats = stats_of(asked->group);
	print_message("# peak %zu KiB\n", stats.committed_peak >> 10);
	assert_in_range(stats.committed_peak, peak, peak + SLACK);
	assert_int_equal(stats.refusals, 0);
	finish(asked);
}

/* Whether it has been made is not known: the figures may have it or not. */
static void what_a_running_thread_was_granted_counts_once(void **state)
{
	const struct vms_group_options options = default_options();
	struct asked asked = start(&options, "file=1 mmap=40 run-on unmap "
				   "mmap=40 run-on unmap");

	(void)state;
	serve_until_said(&asked, "run-on now\n");
	let_look(&asked);
	serve_until_said(&asked, "run-on ok\nunmap ok\nmmap ok\nrun-on now\n");
	let_look(&asked);
	expect_peak(&asked, 40 * MIB);
}

static void shared_memory_that_was_given_back_is_no_peak(void **state)
{
	struct vms_group_options options = default_options();
	struct asked asked;

	(void)state;
	options.commit_limit = 4 * LIMIT;
	asked = start(&options, "shared=40 unmap shared=40 unmap mmap=40 unmap "
		      "shared=40");
	expect_peak(&asked, 40 * MIB);
}

static void what_another_process_gave_back_is_no_peak(void **state)
{
	struct vms_group_options options = default_options();
	struct asked asked;

	(void)state;
	options.commit_limit = 4 * LIMIT;
	asked = start(&options, "file=1 in-turn=40");
	serve_until_said(&asked, "wait now\n");
	let_look(&asked);
	expect_peak(&asked, 40 * MIB);
}

static void a_file_in_pieces_is_their_sum(void **state)
{
	struct vms_group_options options = default_options();
	struct asked asked;

	(void)state;
	options.commit_limit = 4 * LIMIT;
	asked = start(&options, "pieces=48 wait");
	serve_until_said(&asked, "wait now\n");
	let_look(&asked);
	expect_peak(&asked, 48 * MIB);
	asked = start(&options, "thirds=48");
	serve_until_said(&asked, "wait now\n");
	let_look(&asked);
	expect_peak(&asked, 48 * MIB);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_running_thread_was_granted_counts_once),
		cmocka_unit_test(shared_memory_that_was_given_back_is_no_peak),
		cmocka_unit_test(what_another_process_gave_back_is_no_peak),
		cmocka_unit_test(a_file_in_pieces_is_their_sum),
	};

	need_groups(argc, argv);
	return cmocka_run_group_tests_name("group_peaks", tests,
					   make_directory, remove_directory);
}
