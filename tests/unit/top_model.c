/* SPDX-License-Identifier: MIT */
#include "top_fixture.h"

/* Rows from sample to sample, and the lines that are made of them. */

static void rates_are_of_the_time_between_two_samples(void **state)
{
	(void)state;
	begin();
	process(7, 1, "a", 1000)->minor = 50;
	take();
	assert_false(vmsi_top_is_known(&line(0)->figures, VMSI_TOP_MINOR));
	assert_false(vmsi_top_is_known(&line(0)->figures, VMSI_TOP_GROWTH));
	process(7, 1, "a", 400)->minor = 70;
	entries[0].major = 3;
	sample.at += SECOND;
	take();
	assert_int_equal(figure(0, VMSI_TOP_MINOR), 10);
	assert_int_equal(figure(0, VMSI_TOP_MAJOR), 2);
	assert_int_equal(figure(0, VMSI_TOP_GROWTH), -300);
	assert_true(model.seconds > 1.99 && model.seconds < 2.01);
}

static void a_number_that_is_used_again_is_another_row(void **state)
{
	(void)state;
	begin();
	process(7, 1, "old", 1 << 30)->minor = 5;
	take();
	process(7, 1, "new", 4096)->minor = 900;
	entries[0].id.born = 2000;
	take();
	assert_string_equal(names(), "new");
	assert_false(vmsi_top_is_known(&line(0)->figures, VMSI_TOP_MINOR));
	assert_false(vmsi_top_is_known(&line(0)->figures, VMSI_TOP_GROWTH));
	assert_int_equal(line(0)->row->moments, 1);
}

static void fewer_faults_than_before_make_no_rate(void **state)
{
	(void)state;
	begin();
	process(7, 1, "a", 1)->minor = 100;
	take();
	process(7, 1, "a", 1)->minor = 99;
	take();
	assert_false(vmsi_top_is_known(&line(0)->figures, VMSI_TOP_MINOR));
}

static void a_process_that_changes_its_name_is_the_same(void **state)
{
	(void)state;
	begin();
	process(7, 1, "before", 100);
	take();
	process(7, 1, "after", 300);
	take();
	assert_string_equal(names(), "after");
	assert_int_equal(figure(0, VMSI_TOP_GROWTH), 200);
}

static void the_history_keeps_the_last_moments(void **state)
{
	const struct vmsi_top_row *row;

	(void)state;
	begin();
	for (int i = 0; i < VMSI_TOP_HISTORY + 5; i++) {
		process(7, 1, "a", 100 + i);
		take();
	}
	row = line(0)->row;
	assert_int_equal(row->moments, VMSI_TOP_HISTORY);
	for (int i = 0; i < VMSI_TOP_HISTORY; i++)
		assert_int_equal(row->history[i], 105 + i);
}

static void sorts_by_figures_names_and_numbers(void **state)
{
	(void)state;
	begin();
	process(3, 1, "b", 10);
	process(1, 0, "c", 30);
	process(2, 1, "a", 20);
	vmsi_top_set(&entries[0].figures, VMSI_TOP_SWAPPED, 5);
	take();
	assert_string_equal(names(), "c a b");
	model.choice.is_reversed = true;
	assert_int_equal(vmsi_top_order(&model), 0);
	assert_string_equal(names(), "b a c");
	model.choice = (struct vmsi_top_choice){ .sort = VMSI_TOP_NAME };
	assert_int_equal(vmsi_top_order(&model), 0);
	assert_string_equal(names(), "a b c");
	model.choice.sort = VMSI_TOP_NUMBER;
	assert_int_equal(vmsi_top_order(&model), 0);
	assert_string_equal(names(), "c a b");
	/* Who does not tell a figure comes last. */
	model.choice.sort = VMSI_TOP_SWAPPED;
	assert_int_equal(vmsi_top_order(&model), 0);
	assert_string_equal(names(), "b c a");
}

static void take_family(void)
{
	process(1, 0, "init", 1);
	process(10, 1, "shell", 2);
	process(11, 10, "make", 3);
	process(12, 11, "cc", 4);
	process(13, 11, "ld", 5);
	process(20, 1, "server", 6);
	take();
}

static void tree_has_children_below_their_parents(void **state)
{
	(void)state;
	begin();
	model.choice.is_tree = true;
	take_family();
	assert_string_equal(names(), "init .server .shell ..make ...ld ...cc");
	assert_false(line(1)->is_last);
	assert_true(line(2)->is_last);
	assert_false(line(4)->is_last);
	assert_true(line(5)->is_last);
	/* Nothing comes below the shell at its depth, nor below make. */
	assert_int_equal(line(5)->rails, 0);
	model.choice.sort = VMSI_TOP_NUMBER;
	assert_int_equal(vmsi_top_order(&model), 0);
	assert_string_equal(names(), "init .shell ..make ...cc ...ld .server");
	assert_int_equal(line(3)->rails, 2);
}

static void a_folded_row_has_the_sum_of_what_is_below(void **state)
{
	(void)state;
	begin();
	model.choice.is_tree = true;
	take_family();
	vmsi_top_fold(&model, (struct vmsi_top_id){ 10, 1010 }, true);
	assert_int_equal(vmsi_top_order(&model), 0);
	assert_string_equal(names(), "init .server .shell");
	assert_int_equal(figure(2, VMSI_TOP_RESIDENT), 2 + 3 + 4 + 5);
	assert_true(line(2)->has_children);
	/* It stays so in the next sample. */
	take_family();
	assert_string_equal(names(), "init .server .shell");
	vmsi_top_fold_all(&model, false);
	assert_int_equal(vmsi_top_order(&model), 0);
	assert_int_equal(model.line_count, 6);
	assert_int_equal(figure(2, VMSI_TOP_RESIDENT), 2);
}

static void a_sum_without_a_part_is_not_known(void **state)
{
	(void)state;
	begin();
	model.choice.is_tree = true;
	vmsi_top_set(&process(10, 0, "shell", 1)->figures, VMSI_TOP_COMMIT, 100);
	vmsi_top_set(&process(11, 10, "make", 1)->figures, VMSI_TOP_COMMIT, 20);
	entries[1].figures.old = 1u << VMSI_TOP_COMMIT;
	take();
	vmsi_top_fold_all(&model, true);
	assert_int_equal(vmsi_top_order(&model), 0);
	assert_int_equal(figure(0, VMSI_TOP_COMMIT), 120);
	assert_false(vmsi_top_is_fresh(&line(0)->figures, VMSI_TOP_COMMIT));
	assert_int_equal(model.total.of[VMSI_TOP_COMMIT], 120);
	vmsi_top_set(&process(10, 0, "shell", 1)->figures, VMSI_TOP_COMMIT, 100);
	process(11, 10, "make", 1);
	take();
	assert_false(vmsi_top_is_known(&line(0)->figures, VMSI_TOP_COMMIT));
	assert_false(vmsi_top_is_known(&model.total, VMSI_TOP_COMMIT));
	assert_int_equal(figure(0, VMSI_TOP_RESIDENT), 2);
	/* The column stays. */
	assert_true(model.known >> VMSI_TOP_COMMIT & 1);
}

static void who_is_on_the_screen_is_told(void **state)
{
	(void)state;
	begin();
	take_family();
	vmsi_top_note_shown(&model, 1, 2);
	process(12, 11, "cc", 4);
	process(13, 11, "another cc", 5);
	entries[1].id.born++;
	process(20, 1, "server", 6);
	process(11, 10, "make", 3);
	assert_int_equal(vmsi_top_sift(&model, &sample), 0);
	/* The largest was not shown, nor the fourth. */
	assert_string_equal(names(), "server ld cc make shell init");
	assert_false(entries[0].is_shown);
	assert_true(entries[1].is_shown);
	assert_false(entries[2].is_shown);
	assert_false(entries[3].is_shown);
	sample.count = 0;
}

static void parents_in_a_circle_are_all_shown(void **state)
{
	(void)state;
	begin();
	model.choice.is_tree = true;
	process(1, 0, "init", 1);
	process(5, 6, "a", 2);
	process(6, 7, "b", 3);
	process(7, 5, "c", 4);
	process(8, 7, "d", 9);
	process(9, 9, "self", 1);
	take();
	assert_int_equal(model.line_count, 6);
	assert_non_null(strstr(names(), "self"));
	assert_non_null(strstr(names(), "d"));
}

static void a_filter_takes_names_and_numbers(void **state)
{
	(void)state;
	begin();
	take_family();
	strcpy(model.choice.filter, "SE");
	assert_int_equal(vmsi_top_order(&model), 0);
	assert_string_equal(names(), "server");
	strcpy(model.choice.filter, "12");
	assert_int_equal(vmsi_top_order(&model), 0);
	assert_string_equal(names(), "cc");
	/* In a tree, with who is above. */
	model.choice.is_tree = true;
	assert_int_equal(vmsi_top_order(&model), 0);
	assert_string_equal(names(), "init .shell ..make ...cc");
	strcpy(model.choice.filter, "nobody");
	assert_int_equal(vmsi_top_order(&model), 0);
	assert_int_equal(model.line_count, 0);
}

static void a_frozen_model_takes_nothing(void **state)
{
	(void)state;
	begin();
	process(7, 1, "a", 100);
	take();
	model.is_frozen = true;
	process(7, 1, "b", 200);
	take();
	assert_string_equal(names(), "a");
	model.is_frozen = false;
	process(7, 1, "b", 300);
	take();
	/* Over the two seconds that it took. */
	assert_int_equal(figure(0, VMSI_TOP_GROWTH), 100);
}

static void a_scope_is_a_process_and_its_descendants(void **state)
{
	(void)state;
	begin();
	model.scope = VMSI_TOP_TREE;
	model.root = 10;
	model.choice.sort = VMSI_TOP_NUMBER;
	take_family();
	assert_string_equal(names(), "shell make cc ld");
	assert_int_equal(model.total.of[VMSI_TOP_RESIDENT], 14);
}

static void who_was_in_a_scope_stays_when_its_parent_ends(void **state)
{
	(void)state;
	begin();
	model.scope = VMSI_TOP_TREE;
	model.root = 10;
	model.choice.sort = VMSI_TOP_NUMBER;
	take_family();
	process(1, 0, "init", 1);
	/* A child that began before its parent was given to another one. */
	process(9, 12, "as", 1);
	process(12, 1, "cc", 4);
	/* Another one has the number of the root, and the child of that is no member. */
	process(10, 1, "stranger", 1)->id.born = 5000;
	process(30, 10, "other", 1);
	take();
	assert_string_equal(names(), "as cc");
}

static void descendants_are_without_the_root(void **state)
{
	(void)state;
	begin();
	model.scope = VMSI_TOP_DESCENDANTS;
	model.root = 11;
	model.choice.sort = VMSI_TOP_NUMBER;
	take_family();
	assert_string_equal(names(), "cc ld");
	take_family();
	assert_string_equal(names(), "cc ld");
	assert_int_equal(model.total.of[VMSI_TOP_RESIDENT], 9);
}

static struct vmsi_top_entry *owner(const char *kind, uint64_t hash, const char *name,
				    int64_t writable)
{
	struct vmsi_top_entry *entry = process(hash, 0, name, 0);

	entry->id.born = 3;
	entry->kind = kind;
	entry->counts_faults = false;
	entry->figures = (struct vmsi_top_figures){ 0 };
	vmsi_top_set(&entry->figures, VMSI_TOP_WRITABLE, writable);
	return entry;
}

static void owners_with_one_hash_are_two(void **state)
{
	(void)state;
	begin();
	model.choice.sort = VMSI_TOP_NAME;
	owner("named", 5, "x", 10);
	owner("named", 5, "y", 1000);
	take();
	owner("named", 5, "y", 1500);
	owner("named", 5, "x", 11);
	take();
	assert_string_equal(names(), "x y");
	assert_int_equal(figure(0, VMSI_TOP_GROWTH), 1);
	assert_int_equal(figure(1, VMSI_TOP_GROWTH), 500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rates_are_of_the_time_between_two_samples),
		cmocka_unit_test(a_number_that_is_used_again_is_another_row),
		cmocka_unit_test(fewer_faults_than_before_make_no_rate),
		cmocka_unit_test(a_process_that_changes_its_name_is_the_same),
		cmocka_unit_test(the_history_keeps_the_last_moments),
		cmocka_unit_test(sorts_by_figures_names_and_numbers),
		cmocka_unit_test(tree_has_children_below_their_parents),
		cmocka_unit_test(a_folded_row_has_the_sum_of_what_is_below),
		cmocka_unit_test(a_sum_without_a_part_is_not_known),
		cmocka_unit_test(who_is_on_the_screen_is_told),
		cmocka_unit_test(parents_in_a_circle_are_all_shown),
		cmocka_unit_test(a_filter_takes_names_and_numbers),
		cmocka_unit_test(a_frozen_model_takes_nothing),
		cmocka_unit_test(a_scope_is_a_process_and_its_descendants),
		cmocka_unit_test(who_was_in_a_scope_stays_when_its_parent_ends),
		cmocka_unit_test(descendants_are_without_the_root),
		cmocka_unit_test(owners_with_one_hash_are_two),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
