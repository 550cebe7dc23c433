/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/output/demangle.h"
#include "cli/supervise/caller.h"
#include "cli/supervise/stack_line.h"
#include "cli/supervise/tally.h"

/* How refusals are counted together, without a group that is refused. */

#define MS (1000ull * 1000)

#define BY_MMAP "__mmap (libc.so.6)\nsysmalloc_mmap.constprop.0 (libc.so.6)\n" \
		"sysmalloc (libc.so.6) at malloc.c:2588\n"
#define BY_BRK "brk (libc.so.6)\n__sbrk (libc.so.6)\n" \
	       "sysmalloc (libc.so.6) at malloc.c:2721\n"
#define BY_FALLBACK "__mmap (libc.so.6)\nsysmalloc_mmap_fallback (libc.so.6)\n" \
		    "sysmalloc (libc.so.6) at malloc.c:2746\n"
#define MALLOC "_int_malloc (libc.so.6)\n__libc_malloc (libc.so.6) at malloc.c:3315\n"
#define CALLER "load (prog)\nmain (prog)\n"

struct world {
	struct vmsi_tally tally;
	uint64_t time;
};

static int begin(void **state)
{
	struct world *world = calloc(1, sizeof *world);

	assert_non_null(world);
	world->tally.kept_most = 8;
	*state = world;
	return 0;
}

static int end(void **state)
{
	struct world *world = *state;

	vmsi_tally_free(&world->tally);
	free(world);
	return 0;
}

static struct vms_group_refusal refusal_of(struct world *world, pid_t thread,
					   enum vms_group_call call,
					   const char *backtrace)
{
	return (struct vms_group_refusal){
		.struct_size = sizeof(struct vms_group_refusal),
		.time = world->time += MS,
		.process = thread, .thread = thread, .command = "prog",
		.call = call, .requested = 1000, .backtrace = backtrace,
		.why_no_backtrace = backtrace ? NULL : "not asked for",
	};
}

static bool refuse(struct world *world, pid_t thread, enum vms_group_call call,
		   const char *backtrace)
{
	const struct vms_group_refusal refusal =
		refusal_of(world, thread, call, backtrace);

	return vmsi_tally_add(&world->tally, &refusal);
}

/* --- attempts ------------------------------------------------------------- */

static void attempts_of_a_malloc_are_one_refusal(void **state)
{
	struct world *world = *state;

	for (int i = 0; i < 2; i++) {
		assert_true(refuse(world, 1, VMS_GROUP_MMAP,
				   BY_MMAP MALLOC CALLER));
		assert_false(refuse(world, 1, VMS_GROUP_BRK,
				    BY_BRK MALLOC CALLER));
		assert_false(refuse(world, 1, VMS_GROUP_MMAP,
				    BY_FALLBACK MALLOC CALLER));
	}
	assert_int_equal(world->tally.count, 2);
	assert_int_equal(world->tally.stack_count, 1);
	assert_int_equal(world->tally.stacks[0].count, 2);
	assert_int_equal(world->tally.stacks[0].attempts, 6);
	assert_int_equal(world->tally.kept, 2);
	assert_int_equal(world->tally.refusals[1].attempt_count, 3);
	assert_int_equal(world->tally.refusals[1].attempts[1], VMS_GROUP_BRK);
}

/* Small blocks begin with brk; the second time glibc calls from another line. */
static void another_line_of_malloc_is_the_same_malloc(void **state)
{
	struct world *world = *state;

	assert_true(refuse(world, 1, VMS_GROUP_BRK, BY_BRK MALLOC CALLER));
	assert_false(refuse(world, 1, VMS_GROUP_MMAP, BY_FALLBACK
			    "_int_malloc (libc.so.6)\n"
			    "__libc_malloc (libc.so.6) at malloc.c:3324\n"
			    CALLER));
	assert_true(refuse(world, 1, VMS_GROUP_BRK, BY_BRK MALLOC CALLER));
	assert_int_equal(world->tally.count, 2);
}

static void others_are_refusals_by_themselves(void **state)
{
	struct world *world = *state;

	assert_true(refuse(world, 1, VMS_GROUP_MMAP, BY_MMAP MALLOC CALLER));
	/* Another thread, another caller, and much later. */
	assert_true(refuse(world, 2, VMS_GROUP_BRK, BY_BRK MALLOC CALLER));
	assert_true(refuse(world, 1, VMS_GROUP_BRK, BY_BRK MALLOC
			   "save (prog)\nmain (prog)\n"));
	world->time += 11000 * MS;
	assert_true(refuse(world, 1, VMS_GROUP_MMAP, BY_FALLBACK MALLOC
			   "save (prog)\nmain (prog)\n"));
	assert_int_equal(world->tally.count, 4);
	assert_int_equal(world->tally.stack_count, 2);
}

static void threads_do_not_disturb_each_other(void **state)
{
	struct world *world = *state;

	for (pid_t thread = 1; thread <= 20; thread++)
		assert_true(refuse(world, thread, VMS_GROUP_MMAP,
				   BY_MMAP MALLOC CALLER));
	for (pid_t thread = 1; thread <= 20; thread++)
		assert_false(refuse(world, thread, VMS_GROUP_BRK,
				    BY_BRK MALLOC CALLER));
	assert_int_equal(world->tally.count, 20);
}

static void calls_tell_where_no_stack_does(void **state)
{
	static const enum vms_group_call large[] = {
		VMS_GROUP_MMAP, VMS_GROUP_BRK, VMS_GROUP_MMAP };
	static const enum vms_group_call small[] = {
		VMS_GROUP_BRK, VMS_GROUP_MMAP };
	struct world *world = *state;

	for (int i = 0; i < 3; i++)
		for (int call = 0; call < 3; call++)
			assert_int_equal(refuse(world, 1, large[call], NULL),
					 call == 0);
	for (int i = 0; i < 3; i++)
		for (int call = 0; call < 2; call++)
			assert_int_equal(refuse(world, 1, small[call], NULL),
					 call == 0);
	assert_int_equal(world->tally.count, 6);
	assert_string_equal(world->tally.stacks[0].why, "not asked for");
}

/* The program asks by mmap itself, again and again. */
static void calls_of_the_program_are_counted_each(void **state)
{
	struct world *world = *state;

	for (int i = 0; i < 3; i++)
		assert_true(refuse(world, 1, VMS_GROUP_MMAP,
				   "mmap (libc.so.6)\nmain (prog)\n"));
	assert_int_equal(world->tally.stack_count, 1);
	assert_int_equal(world->tally.stacks[0].count, 3);
}

static void what_is_refused_on_demand_goes_by_its_number(void **state)
{
	struct world *world = *state;
	struct vms_group_refusal refusal;

	for (uint64_t request = 1; request <= 3; request++)
		for (int attempt = 0; attempt < 2; attempt++) {
			refusal = refusal_of(world, 1, VMS_GROUP_MPROTECT,
					     "mprotect (libc.so.6)\n" CALLER);
			refusal.injected = true;
			refusal.request = request;
			assert_int_equal(vmsi_tally_add(&world->tally, &refusal),
					 attempt == 0);
		}
	assert_int_equal(world->tally.count, 3);
}

/* --- bounds --------------------------------------------------------------- */

static void memory_is_bounded_and_the_rest_is_counted(void **state)
{
	struct world *world = *state;
	char stack[64];
	uint64_t told = 0;

	for (int i = 0; i < 20000; i++) {
		struct vms_group_refusal refusal;

		snprintf(stack, sizeof stack, "mmap (libc.so.6)\nf%d (prog)\n",
			 i % 5000);
		refusal = refusal_of(world, 1 + i, VMS_GROUP_MMAP, stack);
		snprintf(refusal.command, sizeof refusal.command, "p%d",
			 i % 1000);
		assert_true(vmsi_tally_add(&world->tally, &refusal));
	}
	for (size_t i = 0; i < world->tally.stack_count; i++)
		told += world->tally.stacks[i].count;
	assert_int_equal(world->tally.count, 20000);
	assert_int_equal(world->tally.stack_count, 1000);
	assert_int_equal(told + world->tally.beyond, 20000);
	assert_int_equal(told, 4000);
	assert_int_equal(world->tally.kept, 8);
	assert_in_range(world->tally.process_count, 1, 4096);
	assert_in_range(world->tally.command_count, 1, 256);
}

/* --- how a stack is told -------------------------------------------------- */

static void expect_line(const char *backtrace, const char *line)
{
	char *text = NULL;
	size_t length;
	FILE *stream = open_memstream(&text, &length);

	assert_non_null(stream);
	vmsi_write_stack_line(stream, backtrace);
	fclose(stream);
	assert_string_equal(text, line);
	free(text);
}

static void a_line_begins_with_the_allocator_and_ends_with_main(void **state)
{
	(void)state;
	expect_line(BY_MMAP MALLOC CALLER "__libc_start_main (libc.so.6)\n"
		    "_start (prog)\n", "malloc < load < main");
	/* realloc calls malloc inside of itself. */
	expect_line(BY_BRK MALLOC "_int_realloc (libc.so.6)\n"
		    "realloc (libc.so.6)\nmain (prog)\n", "realloc < main");
	expect_line("mmap (libc.so.6)\na(int, char) (prog) at a.c:1\n",
		    "mmap < a(int, char)");
	expect_line("a (p)\nb (p)\nc (p)\nd (p)\ne (p)\nf (p)\ng (p)\n",
		    "a < b < c < d < e < f < ...");
	expect_line("\033[2J\n", "\\033[2J");
	expect_line("aaaaaaaaaabbbbbbbbbbccccccccccdddddddddde (p)\n",
		    "aaaaaaaaaabbbbbbbbbbccccccccccdddddddddd...");
	expect_line("", "");
}

static void expect_demangled(const char *backtrace, const char *plain)
{
	char *text = vmsi_demangle_backtrace(backtrace);

	assert_string_equal(text, plain);
	free(text);
}

static void names_of_cxx_and_rust_are_those_of_their_sources(void **state)
{
	char *probe = vmsi_demangle("_Z1fv");

	(void)state;
	expect_demangled("main (p) at a.c:1\n0x12 (p)\n_Zo (p)\n_R (p)\n",
			 "main (p) at a.c:1\n0x12 (p)\n_Zo (p)\n_R (p)\n");
	expect_demangled("", "");
	if (!probe) {
		print_message("# SKIP built without libiberty\n");
		skip();
	}
	free(probe);
	expect_demangled("_ZN4shop4takeIlEEPvT_ (p) at a.cc:3\nmain (p)\n",
			 "void* shop::take<long>(long) (p) at a.cc:3\nmain (p)\n");
	expect_demangled("_ZN5alloc3vec9from_elem17h0123456789abcdefE (p)\n",
			 "alloc::vec::from_elem (p)\n");
	expect_demangled("_RNvC6_123foo3bar (p)\n", "123foo::bar (p)\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			attempts_of_a_malloc_are_one_refusal, begin, end),
		cmocka_unit_test_setup_teardown(
			another_line_of_malloc_is_the_same_malloc, begin, end),
		cmocka_unit_test_setup_teardown(
			others_are_refusals_by_themselves, begin, end),
		cmocka_unit_test_setup_teardown(
			threads_do_not_disturb_each_other, begin, end),
		cmocka_unit_test_setup_teardown(
			calls_tell_where_no_stack_does, begin, end),
		cmocka_unit_test_setup_teardown(
			calls_of_the_program_are_counted_each, begin, end),
		cmocka_unit_test_setup_teardown(
			what_is_refused_on_demand_goes_by_its_number, begin,
			end),
		cmocka_unit_test_setup_teardown(
			memory_is_bounded_and_the_rest_is_counted, begin, end),
		cmocka_unit_test(
			a_line_begins_with_the_allocator_and_ends_with_main),
		cmocka_unit_test(
			names_of_cxx_and_rust_are_those_of_their_sources),
	};

	return cmocka_run_group_tests_name("tally", tests, NULL, NULL);
}
