/* SPDX-License-Identifier: MIT */
#include "group_fixture.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

/*
 * Requests that are granted are told, with their stacks.
 *
 * usage: grants ASKER TROUBLED STORMY
 */

/* What a group's requests were told as; small ones are those of the loader. */
struct told {
	size_t count;
	struct vms_group_grant list[64]; /* of at least a MiB */
	char stacks[64][2048];           /* "" where there is none */
	size_t all, all_stacks;          /* small ones, too */
	size_t charged;                  /* of all */
	const char *why;                 /* there was no stack, last */
};

static void take_grant(void *context, vms_group *group,
		       const struct vms_group_grant *grant)
{
	struct told *told = context;

	assert_non_null(group);
	assert_int_equal(grant->struct_size, sizeof *grant);
	assert_true(grant->process > 0 && grant->thread > 0);
	assert_true(!grant->backtrace != !grant->why_no_backtrace);
	assert_true(grant->charged <= grant->requested);
	told->all++;
	told->all_stacks += grant->backtrace != NULL;
	told->charged += grant->charged;
	if (grant->why_no_backtrace)
		told->why = grant->why_no_backtrace;
	if (grant->requested < MIB || told->count == 64)
		return;
	told->list[told->count] = *grant;
	snprintf(told->stacks[told->count++], sizeof told->stacks[0], "%s",
		 grant->backtrace ? grant->backtrace : "");
}

static struct vms_group_options telling(struct told *told)
{
	struct vms_group_options options = default_options();

	*told = (struct told){ 0 };
	options.on_grant = take_grant;
	options.grant_context = told;
	return options;
}

static struct vms_group_options telling_stacks(struct told *told)
{
	struct vms_group_options options = telling(told);

	options.flags |= VMS_GROUP_GRANT_BACKTRACES;
	return options;
}

/* Stacks cannot be taken where the library was built without libdw. */
static bool has_stacks(const struct told *told)
{
	return !told->why || !strstr(told->why, "libdw");
}

static void expect_grant(const struct told *told, size_t i,
			 enum vms_group_call call, size_t requested)
{
	assert_true(i < told->count);
	assert_int_equal(told->list[i].call, call);
	assert_int_equal(told->list[i].requested, requested);
}

/* Where the stack of a request is to name a function. */
static void expect_stack(const struct told *told, size_t i, const char *function)
{
	if (has_stacks(told) && !strstr(told->stacks[i], function))
		fail_msg("%s is not in:\n%s", function, told->stacks[i]);
}

static void what_is_granted_is_told(void **state)
{
	struct told told;
	const struct vms_group_options options = telling(&told);

	(void)state;
	expect_said(&options, "mmap=10 mprotect=5 mremap=6 brk=7 shared=8 shmget=9",
		    "mmap ok\nmprotect ok\nmremap ok\nbrk ok\nshared ok\n"
		    "shmget ok\n");
	expect_grant(&told, 0, VMS_GROUP_MMAP, 10 * MIB);
	expect_grant(&told, 1, VMS_GROUP_MPROTECT, 5 * MIB);
	expect_grant(&told, 2, VMS_GROUP_MREMAP, 6 * MIB - 4096);
	expect_grant(&told, 3, VMS_GROUP_BRK, 7 * MIB);
	expect_grant(&told, 4, VMS_GROUP_MMAP, 8 * MIB);
	expect_grant(&told, 5, VMS_GROUP_SHMGET, 9 * MIB);
	assert_int_equal(told.count, 6);
	for (size_t i = 1; i < told.count; i++) {
		assert_true(told.list[i].time >= told.list[i - 1].time);
		assert_true(told.list[i].committed > told.list[i].charged);
	}
	assert_int_equal(told.all_stacks, 0);
	assert_string_equal(told.why, "not asked for");
	assert_string_equal(told.list[0].command, "group-asker");
}

/* Nor what gives memory back, nor what reserves. */
static void what_is_refused_is_not_told(void **state)
{
	struct told told;
	const struct vms_group_options options = telling_stacks(&told);

	(void)state;
	expect_said(&options, "mmap=200 none=4000 mmap=3 unmap",
		    "mmap ENOMEM\nnone ok\nmmap ok\nunmap ok\n");
	expect_grant(&told, 0, VMS_GROUP_MMAP, 3 * MIB);
	assert_int_equal(told.count, 1);
}

static size_t refused;
static char refused_stack[2048];

static void take_refusal(void *context, vms_group *group,
			 const struct vms_group_refusal *refusal)
{
	(void)context;
	(void)group;
	refused++;
	snprintf(refused_stack, sizeof refused_stack, "%s", refusal->backtrace ?
		 refusal->backtrace : refusal->why_no_backtrace);
}

/* A stack that was taken before the request was decided serves for its refusal. */
static void refusals_are_told_as_without(void **state)
{
	struct told told;
	struct vms_group_options options = telling_stacks(&told);
	struct asked asked;

	(void)state;
	refused = 0;
	options.flags |= VMS_GROUP_BACKTRACES;
	options.on_refusal = take_refusal;
	options.faults.minimum = 20 * MIB;
	options.faults.nth = 2;
	asked = start(&options, "mmap=20 mprotect=21 mmap=200 mmap=22");
	serve_until(&asked, VMS_GROUP_EMPTY);
	assert_string_equal(asked.said,
			    "mmap ok\nmprotect ENOMEM\nmmap ENOMEM\nmmap ok\n");
	assert_int_equal(refused, 2);
	assert_int_equal(stats_of(asked.group).refusals, 2);
	assert_int_equal(stats_of(asked.group).injected, 1);
	/* Each was counted once. */
	assert_int_equal(stats_of(asked.group).requests, 4);
	if (has_stacks(&told))
		assert_non_null(strstr(refused_stack, "do_mmap"));
	finish(&asked);
	expect_grant(&told, 0, VMS_GROUP_MMAP, 20 * MIB);
	expect_grant(&told, 1, VMS_GROUP_MMAP, 22 * MIB);
	assert_int_equal(told.count, 2);
}

static void each_has_its_stack(void **state)
{
	struct told told;
	const struct vms_group_options options = telling_stacks(&told);

	(void)state;
	expect_said(&options, "mmap=10 brk=7 shmget=9",
		    "mmap ok\nbrk ok\nshmget ok\n");
	assert_int_equal(told.count, 3);
	/* The order is that of names. */
	for (size_t i = 0; i < told.count; i++)
		expect_stack(&told, i, told.list[i].call == VMS_GROUP_MMAP ?
			     "do_mmap" : told.list[i].call == VMS_GROUP_BRK ?
			     "do_brk" : "do_shmget");
	if (has_stacks(&told))
		assert_int_equal(told.all_stacks, told.all);
}

static void threads_have_their_own(void **state)
{
	struct told told;
	const struct vms_group_options options = telling_stacks(&told);
	pid_t threads[2] = { 0 };
	size_t count = 0;

	(void)state;
	expect_said(&options, "threads=3", "threads ok\n");
	for (size_t i = 0; i < told.count; i++)
		if (told.list[i].requested == 3 * MIB) {
			assert_true(count < 2);
			threads[count++] = told.list[i].thread;
			expect_stack(&told, i, "run_thread");
		}
	assert_int_equal(count, 2);
	assert_int_not_equal(threads[0], threads[1]);
	assert_int_not_equal(threads[0], told.list[0].process);
}

/*
 * The parent of a vfork stands still until its child goes on, which asks, too; so
 * nobody may wait for the parent.
 */
static void forks_and_programs_go_on(void **state)
{
	struct told told;
	const struct vms_group_options options = telling_stacks(&told);
	size_t forks = 0, children = 0;

	(void)state;
	expect_said(&options, "fork-map=5 vfork spawn image=6 exec",
		    "fork-map ok\nvfork ok\nspawn ok\nmmap ok\nmmap ok\nmmap ok\n"
		    "image ok\nnone ok\nmmap ok\n");
	for (size_t i = 0; i < told.count; i++) {
		children += told.list[i].requested == 5 * MIB ||
			told.list[i].requested == 6 * MIB;
		forks += told.list[i].call == VMS_GROUP_FORK;
	}
	assert_int_equal(children, 4);
	assert_int_equal(told.list[told.count - 1].requested, 40 * MIB);
	/* The asker itself has little to copy. */
	assert_int_equal(forks, 0);
	assert_true(told.all > 20);
}

/* --- what a program may not be able to tell --------------------------------------- */

static const char *troubled, *stormy;

/* The program itself looks whether each call answers as it should. */
static void expect_undisturbed(const char *steps)
{
	struct told told;
	struct vms_group_options options = telling_stacks(&told);
	struct asked asked;

	options.commit_limit = 256 * MIB;
	use_program(troubled);
	asked = start(&options, steps);
	asked.peak_most = 256 * MIB + MIB;
	serve_until(&asked, VMS_GROUP_EMPTY);
	use_program(asker_path());
	assert_int_equal(vms_group_status(asked.group), 0);
	assert_int_equal(stats_of(asked.group).refusals, 0);
	assert_int_equal(stats_of(asked.group).processes, 0);
	assert_true(told.all > 50);
	print_message("# %zu of %zu with a stack\n", told.all_stacks, told.all);
	finish(&asked);
}

static void processes_may_end_while_their_stack_is_taken(void **state)
{
	(void)state;
	expect_undisturbed("kills=4");
}

static void processes_may_execute_while_their_stack_is_taken(void **state)
{
	(void)state;
	expect_undisturbed("images=25");
}

/* Handlers without SA_RESTART, under a timer. */
static void no_call_is_told_of_the_stop(void **state)
{
	struct told told;
	struct vms_group_options options = telling_stacks(&told);
	char name[] = "stormy", mmaps[] = "800", forks[] = "20", timer[] = "300";
	char *arguments[] = { name, mmaps, mmaps, forks, timer, NULL };
	enum vms_group_event event;
	vms_group *group;

	(void)state;
	options.commit_limit = 256 * MIB;
	group = vms_group_spawn(&options, stormy, arguments, NULL);
	assert_non_null(group);
	do
		event = (enum vms_group_event)vms_group_serve(group, -1);
	while (event != VMS_GROUP_EMPTY);
	assert_int_equal(vms_group_status(group), 0);
	assert_int_equal(stats_of(group).refusals, 0);
	vms_group_close(group);
	print_message("# %zu of %zu with a stack; others: %s\n", told.all_stacks,
		      told.all, told.why ? told.why : "");
	assert_true(told.all >= 800);
	/* After the first ones stacks are taken for a tenth of the time. */
	if (has_stacks(&told))
		assert_true(told.all_stacks >= 400 &&
			    told.all_stacks < told.all);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_granted_is_told),
		cmocka_unit_test(what_is_refused_is_not_told),
		cmocka_unit_test(refusals_are_told_as_without),
		cmocka_unit_test(each_has_its_stack),
		cmocka_unit_test(threads_have_their_own),
		cmocka_unit_test(forks_and_programs_go_on),
		cmocka_unit_test(processes_may_end_while_their_stack_is_taken),
		cmocka_unit_test(processes_may_execute_while_their_stack_is_taken),
		cmocka_unit_test(no_call_is_told_of_the_stop),
	};

	need_groups(argc, argv);
	troubled = argv[2];
	stormy = argv[3];
	return cmocka_run_group_tests_name("group_grants", tests, NULL, NULL);
}
