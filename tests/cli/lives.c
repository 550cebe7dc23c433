/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "cli/report/lives.h"
#include "made_recording.h"

#define KIB ((uintptr_t)1024)
#define MIB (1024 * KIB)
#define AT (64 * MIB)

struct fixture {
	struct made made;
	struct vmsi_lives lives;
	uint32_t process, heap, other;
};

static int set_up(void **state)
{
	static struct fixture fixture;

	fixture = (struct fixture){ 0 };
	fixture.process = made_process(&fixture.made, VMSI_NOBODY, 7, "p");
	fixture.heap = made_owner(&fixture.made, 0, VMSI_OWNER_HEAP, "heap");
	fixture.other = made_owner(&fixture.made, 0, VMSI_OWNER_NAMED, "other");
	/* What is seen first is no change. */
	made_mapping(&fixture.made, fixture.other, MIB, 4 * KIB, 0);
	*state = &fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	vmsi_lives_free(&fixture->lives);
	made_free(&fixture->made);
	return 0;
}

static void make(struct fixture *fixture)
{
	assert_int_equal(vmsi_lives_make(&fixture->lives, &fixture->made.recording), 0);
}

static void expect_change(const struct fixture *fixture, size_t i,
			  enum vmsi_change_kind kind, int64_t size, int64_t commit)
{
	assert_true(i < fixture->lives.change_count);
	assert_int_equal(fixture->lives.changes[i].kind, kind);
	assert_int_equal(fixture->lives.changes[i].size, size);
	assert_int_equal(fixture->lives.changes[i].commit, commit);
}

/* What there is at a moment, of all owners or of one. */
static uint64_t committed(const struct fixture *fixture, uint64_t time, uint32_t owner)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < fixture->lives.count; i++) {
		const struct vmsi_life *life = &fixture->lives.list[i];

		if (life->begin <= time && time < life->end &&
		    (owner == VMSI_NOBODY || life->owner == owner))
			sum += life->commit;
	}
	return sum;
}

static void later_figures_replace_earlier_ones(void **state)
{
	struct fixture *fixture = *state;

	made_mapping(&fixture->made, fixture->heap, AT, MIB, 0);
	fixture->made.now = 10;
	made_mapping(&fixture->made, fixture->heap, AT, 3 * MIB, 0);
	make(fixture);
	assert_int_equal(committed(fixture, 0, fixture->heap), MIB);
	assert_int_equal(committed(fixture, 9, fixture->heap), MIB);
	assert_int_equal(committed(fixture, 10, fixture->heap), 3 * MIB);
	assert_int_equal(fixture->lives.change_count, 1);
	expect_change(fixture, 0, VMSI_CHANGE_GREW, 2 * MIB, 2 * MIB);
}

static void growth_beside_is_growth(void **state)
{
	struct fixture *fixture = *state;

	made_mapping(&fixture->made, fixture->heap, AT, MIB, 0);
	fixture->made.now = 10;
	made_mapping(&fixture->made, fixture->heap, AT + MIB, MIB, 0);
	made_mapping(&fixture->made, fixture->heap, AT + 8 * MIB, MIB, 0);
	make(fixture);
	assert_int_equal(fixture->lives.change_count, 2);
	expect_change(fixture, 0, VMSI_CHANGE_GREW, MIB, MIB);
	expect_change(fixture, 1, VMSI_CHANGE_NEW, MIB, MIB);
}

static void what_is_left_of_a_mapping_has_its_share(void **state)
{
	struct fixture *fixture = *state;
	uint64_t anonymous = 0;
	size_t parts = 0;

	made_mapping(&fixture->made, fixture->heap, AT, 8 * MIB, 4 * MIB);
	fixture->made.now = 10;
	made_unmapped(&fixture->made, 0, AT + 2 * MIB, MIB);
	make(fixture);
	for (size_t i = 0; i < fixture->lives.count; i++) {
		const struct vmsi_life *life = &fixture->lives.list[i];

		if (life->owner != fixture->heap || life->end != VMSI_NO_END)
			continue;
		assert_true(life->is_part);
		assert_int_equal(life->begin, 10);
		anonymous += life->anonymous;
		parts++;
	}
	assert_int_equal(parts, 2);
	assert_int_equal(anonymous, 7 * MIB / 2);
	assert_int_equal(committed(fixture, 10, fixture->heap), 7 * MIB);
	expect_change(fixture, 0, VMSI_CHANGE_SHRANK, -(int64_t)MIB, -(int64_t)MIB);
}

static void move_is_told_by_size_and_contents(void **state)
{
	struct fixture *fixture = *state;

	made_mapping(&fixture->made, fixture->heap, AT, MIB, MIB);
	made_mapping(&fixture->made, fixture->heap, AT + 4 * MIB, MIB, 0);
	fixture->made.now = 10;
	made_unmapped(&fixture->made, 0, AT, MIB);
	made_mapping(&fixture->made, fixture->heap, AT + 32 * MIB, 2 * MIB, MIB);
	fixture->made.now = 20;
	/* Nothing was in it: what is new elsewhere is no copy of it. */
	made_unmapped(&fixture->made, 0, AT + 4 * MIB, MIB);
	made_mapping(&fixture->made, fixture->heap, AT + 64 * MIB, 2 * MIB, MIB);
	make(fixture);
	assert_int_equal(fixture->lives.change_count, 3);
	expect_change(fixture, 0, VMSI_CHANGE_MOVED, MIB, MIB);
	assert_int_equal(fixture->lives.changes[0].from, AT);
	expect_change(fixture, 1, VMSI_CHANGE_GONE, -(int64_t)MIB, -(int64_t)MIB);
	expect_change(fixture, 2, VMSI_CHANGE_NEW, 2 * MIB, 2 * MIB);
}

static void end_of_a_process_ends_all_that_it_has(void **state)
{
	struct fixture *fixture = *state;

	made_mapping(&fixture->made, fixture->heap, AT, MIB, 0);
	fixture->made.now = 10;
	made_end(&fixture->made, fixture->process, 0);
	/* A look that comes too late. */
	made_mapping(&fixture->made, fixture->heap, AT + 8 * MIB, MIB, 0);
	make(fixture);
	assert_int_equal(committed(fixture, 9, VMSI_NOBODY), MIB + 4 * KIB);
	assert_int_equal(committed(fixture, 10, VMSI_NOBODY), 0);
	assert_int_equal(fixture->lives.change_count, 0);
}

static void calls_are_told_by_their_answers(void **state)
{
	struct fixture *fixture = *state;

	for (int error = 0; error <= 12; error += 12) {
		struct vmsi_recorded_event *call =
			made_event(&fixture->made, VMSI_RECORDED_CALL);

		call->process = fixture->process;
		call->error = error;
		call->size = MIB;
		call->commit = error ? 0 : MIB / 2;
		call->call = "mmap";
	}
	make(fixture);
	assert_int_equal(fixture->lives.change_count, 2);
	expect_change(fixture, 0, VMSI_CHANGE_GRANTED, MIB, MIB / 2);
	expect_change(fixture, 1, VMSI_CHANGE_REFUSED, MIB, 0);
}

/* --- a model ---------------------------------------------------------------- */

#define PAGES 1500
#define ROUNDS 6000

/* Which owner each page of a process has; VMSI_NOBODY: none. */
static uint32_t pages[2][PAGES];

static uint64_t model_committed(uint32_t owner)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < 2 * PAGES; i++)
		if (pages[i / PAGES][i % PAGES] == owner)
			sum += 4 * KIB;
	return sum;
}

static void random_event(struct made *made, unsigned *seed, const uint32_t *owners)
{
	uint32_t process = (uint32_t)rand_r(seed) % 2;
	uint32_t owner = owners[2 * process + (unsigned)rand_r(seed) % 2];
	unsigned first = (unsigned)rand_r(seed) % PAGES;
	unsigned count = 1 + (unsigned)rand_r(seed) % 3;
	bool is_mapping = rand_r(seed) % 4 != 0;

	/* Some cover hundreds of others. */
	if (rand_r(seed) % 256 == 0)
		count = 600;
	count = count < PAGES - first ? count : PAGES - first;
	if (is_mapping)
		made_mapping(made, owner, AT + first * 4 * KIB, count * 4 * KIB, 0);
	else
		made_unmapped(made, process, AT + first * 4 * KIB, count * 4 * KIB);
	for (unsigned i = first; i < first + count; i++)
		pages[process][i] = is_mapping ? owner : VMSI_NOBODY;
}

static void random_events_agree_with_a_model(void **state)
{
	static uint64_t want[ROUNDS / 20][4];
	struct fixture *fixture = *state;
	struct made *made = &fixture->made;
	const char *given = getenv("VMS_TEST_SEED");
	unsigned seed = given ? (unsigned)atoi(given) : 20261130;
	uint32_t owners[4];

	print_message("seed %u\n", seed);
	made_free(made);
	for (uint32_t i = 0; i < 4; i++) {
		if (i % 2 == 0)
			made_process(made, VMSI_NOBODY, (pid_t)i, "p");
		owners[i] = made_owner(made, i / 2, VMSI_OWNER_NAMED, "o");
	}
	memset(pages, 0xff, sizeof(pages));
	for (unsigned i = 0; i < ROUNDS; i++) {
		made->now = i / 20;
		random_event(made, &seed, owners);
		for (uint32_t k = 0; i % 20 == 19 && k < 4; k++)
			want[i / 20][k] = model_committed(owners[k]);
	}
	make(fixture);
	for (unsigned time = 0; time < ROUNDS / 20; time++)
		for (uint32_t k = 0; k < 4; k++)
			assert_int_equal(committed(fixture, time, owners[k]),
					 want[time][k]);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		CASE(later_figures_replace_earlier_ones),
		CASE(growth_beside_is_growth),
		CASE(what_is_left_of_a_mapping_has_its_share),
		CASE(move_is_told_by_size_and_contents),
		CASE(end_of_a_process_ends_all_that_it_has),
		CASE(calls_are_told_by_their_answers),
		CASE(random_events_agree_with_a_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
