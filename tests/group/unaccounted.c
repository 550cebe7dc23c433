/* SPDX-License-Identifier: MIT */
#include "group_fixture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * The supervisor has no memory to account for a request, whatever the limit: its
 * calloc, of processes, or reallocarray, of their calls, is replaced by one that
 * fails on demand.
 */

static enum { NOTHING, PROCESSES, CALLS } fails;

/* explicit_bzero, since a compiler makes a calloc of malloc and memset. */
void *calloc(size_t count, size_t bytes)
{
	size_t all;
	void *memory;

	if (fails == PROCESSES || __builtin_mul_overflow(count, bytes, &all)) {
		errno = ENOMEM;
		return NULL;
	}
	memory = malloc(all);
	if (memory)
		explicit_bzero(memory, all);
	return memory;
}

void *reallocarray(void *memory, size_t count, size_t bytes)
{
	size_t all;

	if (fails == CALLS || __builtin_mul_overflow(count, bytes, &all)) {
		errno = ENOMEM;
		return NULL;
	}
	return realloc(memory, all);
}

static char directory[] = "/tmp/vmspace-unaccounted-XXXXXX";
static char go_on[sizeof directory + 8];
static struct vms_group_refusal told;
static size_t told_count;

static void take(void *context, vms_group *group,
		 const struct vms_group_refusal *refusal)
{
	(void)context;
	(void)group;
	told = *refusal;
	told_count++;
}

static void go_on_now(void)
{
	FILE *file = fopen(go_on, "we");

	assert_non_null(file);
	fclose(file);
}

/*
 * Start the steps, let allocations fail from the line "wait now" on until a line
 * is said, and serve the group until it is empty.
 */
static struct asked run_short_of_memory(const char *steps, int what,
					const char *until)
{
	struct vms_group_options options = default_options();
	struct asked asked;

	options.on_refusal = take;
	told_count = 0;
	unlink(go_on);
	asked = start(&options, steps);
	serve_until_said(&asked, "wait now");
	go_on_now();
	fails = what;
	serve_until_said(&asked, until);
	fails = NOTHING;
	serve_until(&asked, VMS_GROUP_EMPTY);
	return asked;
}

/* The child has asked for nothing yet, so nothing is noted of its calls. */
static void no_memory_for_a_call_is_told_as_that(void **state)
{
	struct asked asked = run_short_of_memory("fork-waits-to-map=20", CALLS,
						 "fork-waits-to-map");
	const struct vms_group_stats stats = stats_of(asked.group);

	(void)state;
	assert_non_null(strstr(asked.said, "fork-waits-to-map ENOMEM\n"));
	assert_int_equal(stats.unaccounted, 1);
	assert_int_equal(stats.refusals, 1);
	assert_int_equal(told_count, 1);
	assert_true(told.unaccounted);
	assert_false(told.injected);
	assert_int_equal(told.requested, 20 * MIB);
	assert_true(told.committed + told.requested <= told.limit);
	finish(&asked);
}

static void a_process_without_memory_is_counted(void **state)
{
	struct asked asked = run_short_of_memory("fork-waits-to-map=20",
						 PROCESSES, "fork-waits-to-map");
	const struct vms_group_stats stats = stats_of(asked.group);

	(void)state;
	assert_non_null(strstr(asked.said, "fork-waits-to-map ENOMEM\n"));
	assert_int_equal(stats.unaccounted, 1);
	assert_int_equal(stats.refusals, 0);
	assert_int_equal(told_count, 0);
	finish(&asked);
}

static void over_the_limit_is_told_as_that(void **state)
{
	struct asked asked = run_short_of_memory("wait mmap=70", NOTHING,
						 "mmap");
	const struct vms_group_stats stats = stats_of(asked.group);

	(void)state;
	assert_int_equal(stats.unaccounted, 0);
	assert_int_equal(stats.refusals, 1);
	assert_int_equal(told_count, 1);
	assert_false(told.unaccounted);
	finish(&asked);
}

static int make_directory(void **state)
{
	(void)state;
	if (!mkdtemp(directory))
		return -1;
	snprintf(go_on, sizeof go_on, "%s/go-on", directory);
	return setenv("ASKER_GO_ON", go_on, 1);
}

static int remove_directory(void **state)
{
	(void)state;
	unlink(go_on);
	return rmdir(directory);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_memory_for_a_call_is_told_as_that),
		cmocka_unit_test(a_process_without_memory_is_counted),
		cmocka_unit_test(over_the_limit_is_told_as_that),
	};

	need_groups(argc, argv);
	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
