/* SPDX-License-Identifier: MIT */
#include "group_fixture.h"

#include <string.h>

/* on_full: who knows of a limit that was raised is asked before a request is refused. */

/* What on_full is to do, and what it has seen. */
struct source {
	size_t limit;       /* to be set; 0: none */
	size_t mark;        /* likewise */
	unsigned calls;
	struct vms_group_stats stats; /* when it was called last */
	vms_group *group;
	uint64_t refusals;  /* that were told before the last call */
	uint64_t told;      /* to on_refusal */
	unsigned marks;     /* that were reached */
};

static void look(void *context, vms_group *group)
{
	struct source *source = context;
	const size_t marks[VMS_GROUP_MARKS] = { source->mark };

	source->calls++;
	source->group = group;
	source->refusals = source->told;
	source->stats = stats_of(group);
	if (source->limit)
		assert_int_equal(vms_group_set_limit(group, source->limit), 0);
	if (source->mark)
		assert_int_equal(vms_group_set_marks(group, marks), 0);
}

static void note_refusal(void *context, vms_group *group,
			 const struct vms_group_refusal *refusal)
{
	struct source *source = context;

	(void)group;
	(void)refusal;
	source->told++;
}

static void note_mark(void *context, vms_group *group,
		      const struct vms_group_mark *mark)
{
	struct source *source = context;

	(void)group;
	assert_int_equal(mark->at, source->mark);
	source->marks++;
}

static struct vms_group_options options_of(struct source *source)
{
	struct vms_group_options options = default_options();

	options.on_full = look;
	options.full_context = source;
	options.on_refusal = note_refusal;
	options.context = source;
	options.on_mark = note_mark;
	options.mark_context = source;
	return options;
}

/* To the end of a group that may go up to peak. */
static struct vms_group_stats
expect_steps(const struct vms_group_options *options, const char *steps,
	     const char *said, size_t peak)
{
	struct asked asked = start(options, steps);
	struct vms_group_stats stats;

	asked.peak_most = peak;
	serve_until(&asked, VMS_GROUP_EMPTY);
	assert_string_equal(asked.said, said);
	stats = stats_of(asked.group);
	finish(&asked);
	return stats;
}

static void a_limit_that_it_raises_is_in_force_at_once(void **state)
{
	static const struct {
		const char *steps, *said;
	} calls[] = {
		{ "mmap=40 mmap=40", "mmap ok\nmmap ok\n" },
		{ "mmap=40 brk=40", "mmap ok\nbrk ok\n" },
		{ "mmap=40 shared=40", "mmap ok\nshared ok\n" },
		{ "mmap=40 mprotect=40", "mmap ok\nmprotect ok\n" },
		{ "mmap=40 fork", "mmap ok\nfork ok\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
		struct source source = { .limit = 2 * LIMIT };
		const struct vms_group_options options = options_of(&source);
		const struct vms_group_stats stats =
			expect_steps(&options, calls[i].steps, calls[i].said,
				     2 * LIMIT);

		assert_int_equal(source.calls, 1);
		assert_int_equal(stats.limit, 2 * LIMIT);
		assert_int_equal(stats.refusals, 0);
		assert_int_equal(source.told, 0);
	}
}

/* The figures are those without the request, which nobody has counted yet. */
static void it_sees_the_group_as_it_is_without_the_request(void **state)
{
	struct source source = { .calls = 0 };
	const struct vms_group_options options = options_of(&source);
	const struct vms_group_stats stats =
		expect_steps(&options, "mmap=40 mmap=40 mmap=1",
			     "mmap ok\nmmap ENOMEM\nmmap ok\n", LIMIT);

	(void)state;
	assert_int_equal(source.calls, 1);
	assert_non_null(source.group);
	assert_in_range(source.stats.committed, 40 * MIB, LIMIT);
	assert_int_equal(source.stats.limit, LIMIT);
	assert_int_equal(source.stats.refusals, 0);
	assert_int_equal(source.refusals, 0);
	assert_int_equal(stats.refusals, 1);
}

static void a_limit_that_is_still_too_low_refuses(void **state)
{
	struct source source = { .limit = LIMIT + 4 * MIB };
	const struct vms_group_options options = options_of(&source);
	const struct vms_group_stats stats =
		expect_steps(&options, "mmap=40 mmap=40 mmap=40",
			     "mmap ok\nmmap ENOMEM\nmmap ENOMEM\n",
			     LIMIT + 4 * MIB);

	(void)state;
	/* It is asked before each refusal, and once for each. */
	assert_int_equal(source.calls, 2);
	assert_int_equal(stats.refusals, 2);
	assert_int_equal(stats.limit, LIMIT + 4 * MIB);
}

static void a_limit_that_it_lowers_is_kept_from_then_on(void **state)
{
	struct source source = { .limit = 50 * MIB };
	const struct vms_group_options options = options_of(&source);
	const struct vms_group_stats stats =
		expect_steps(&options, "mmap=40 mmap=40 mmap=15",
			     "mmap ok\nmmap ENOMEM\nmmap ENOMEM\n", LIMIT);

	(void)state;
	assert_int_equal(source.calls, 2);
	assert_int_equal(stats.limit, 50 * MIB);
}

static void it_may_set_marks(void **state)
{
	struct source source = { .limit = 2 * LIMIT, .mark = 75 * MIB };
	const struct vms_group_options options = options_of(&source);

	(void)state;
	expect_steps(&options, "mmap=40 mmap=40", "mmap ok\nmmap ok\n", 2 * LIMIT);
	assert_int_equal(source.calls, 1);
	/* The request that it let through has reached it. */
	assert_int_equal(source.marks, 1);
}

static void what_fits_and_what_is_refused_on_demand_ask_nobody(void **state)
{
	struct source source = { .limit = 2 * LIMIT };
	struct vms_group_options options = options_of(&source);

	(void)state;
	expect_steps(&options, "mmap=40 unmap mmap=40",
		     "mmap ok\nunmap ok\nmmap ok\n", LIMIT);
	assert_int_equal(source.calls, 0);
	options.faults.minimum = 10 * MIB;
	expect_steps(&options, "mmap=1 mmap=40", "mmap ok\nmmap ENOMEM\n", LIMIT);
	assert_int_equal(source.calls, 0);
	assert_int_equal(source.told, 1);
}

static void a_single_request_may_be_too_large_as_well(void **state)
{
	struct source source = { .limit = 2 * LIMIT };
	struct vms_group_options options = options_of(&source);

	(void)state;
	options.policy = VMS_COMMIT_HEURISTIC;
	expect_steps(&options, "mmap=40 mmap=40 mmap=100 mmap=200",
		     "mmap ok\nmmap ok\nmmap ok\nmmap ENOMEM\n", SIZE_MAX);
	assert_int_equal(source.calls, 2);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_limit_that_it_raises_is_in_force_at_once),
		cmocka_unit_test(it_sees_the_group_as_it_is_without_the_request),
		cmocka_unit_test(a_limit_that_is_still_too_low_refuses),
		cmocka_unit_test(a_limit_that_it_lowers_is_kept_from_then_on),
		cmocka_unit_test(it_may_set_marks),
		cmocka_unit_test(what_fits_and_what_is_refused_on_demand_ask_nobody),
		cmocka_unit_test(a_single_request_may_be_too_large_as_well),
	};

	need_groups(argc, argv);
	return cmocka_run_group_tests_name("group_full", tests, NULL, NULL);
}
