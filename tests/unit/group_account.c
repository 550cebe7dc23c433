/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "group/account/account.h"

#define LIMIT 1000

static struct vmsi_account account;
static struct vmsi_account_process parent, child, other;

static int begin(void **state)
{
	(void)state;
	vmsi_account_init(&account, LIMIT, VMS_COMMIT_STRICT);
	parent = child = other = (struct vmsi_account_process){ .peak = 0 };
	vmsi_account_add(&account, &parent);
	return 0;
}

static int end(void **state)
{
	(void)state;
	assert_null(vmsi_account_broken(&account));
	free(parent.pending.list);
	free(child.pending.list);
	free(other.pending.list);
	vmsi_account_free(&account);
	return 0;
}

static int grant(struct vmsi_account_process *process,
		 enum vmsi_effect_kind kind, pid_t thread, size_t bytes)
{
	const struct vmsi_effect effect = {
		.kind = kind, .thread = thread, .bytes = bytes };
	struct vmsi_account_process *copiers = NULL;

	if (kind == VMSI_EFFECT_OWN &&
	    vmsi_account_forks_under_way(process)) {
		process->next_copier = NULL;
		copiers = process;
	}
	return vmsi_account_grant(&account, process, &effect, copiers);
}

static size_t committed(void)
{
	return vmsi_account_committed(&account);
}

static void a_grant_that_passes_the_limit_changes_nothing(void **state)
{
	(void)state;
	assert_int_equal(grant(&parent, VMSI_EFFECT_OWN, 1, 600), 0);
	assert_int_equal(grant(&parent, VMSI_EFFECT_OWN, 2, 401), -EDQUOT);
	assert_int_equal(grant(&parent, VMSI_EFFECT_CHILD, 2, SIZE_MAX),
			 -EDQUOT);
	assert_int_equal(committed(), 600);
	assert_int_equal(parent.pending.count, 1);
	assert_int_equal(grant(&parent, VMSI_EFFECT_OBJECT, 2, 400), 0);
	assert_int_equal(committed(), LIMIT);
}

static void what_may_not_be_made_counts_on_top_of_figures(void **state)
{
	(void)state;
	assert_int_equal(grant(&parent, VMSI_EFFECT_OWN, 1, 100), 0);
	assert_int_equal(grant(&parent, VMSI_EFFECT_OWN, 2, 10), 0);
	vmsi_account_measured(&account, &parent, 300);
	assert_int_equal(committed(), 410);
	assert_int_equal(account.twice, 110);
	vmsi_account_confirm(&account, &parent, 1);
	assert_int_equal(committed(), 410);
	vmsi_account_measured(&account, &parent, 400);
	assert_int_equal(committed(), 410);
	vmsi_account_confirm(&account, &parent, 2);
	vmsi_account_measured(&account, &parent, 410);
	assert_int_equal(committed(), 410);
	assert_int_equal(account.twice, 0);
}

static void what_moves_counts_until_it_has_moved(void **state)
{
	const struct vmsi_effect move = {
		.kind = VMSI_EFFECT_OWN, .thread = 1, .moved = 50 };

	(void)state;
	vmsi_account_measured(&account, &parent, 200);
	assert_int_equal(vmsi_account_note(&account, &parent, &move), 0);
	vmsi_account_measured(&account, &parent, 150);
	assert_int_equal(committed(), 200);
	vmsi_account_raise_peak(&account);
	assert_int_equal(account.peak, 150);
	vmsi_account_confirm(&account, &parent, 1);
	vmsi_account_measured(&account, &parent, 200);
	assert_int_equal(committed(), 200);
}

static void a_call_that_is_withdrawn_was_never_asked_for(void **state)
{
	(void)state;
	assert_int_equal(grant(&parent, VMSI_EFFECT_OWN, 1, 100), 0);
	vmsi_account_withdraw(&account, &parent, 1);
	assert_int_equal(grant(&parent, VMSI_EFFECT_CHILD, 1, 100), 0);
	vmsi_account_withdraw(&account, &parent, 1);
	assert_int_equal(grant(&parent, VMSI_EFFECT_OBJECT, 1, 100), 0);
	vmsi_account_withdraw(&account, &parent, 1);
	assert_int_equal(committed(), 0);
	assert_false(vmsi_account_has_unmade(&parent));
}

static void an_object_takes_the_place_of_private_memory(void **state)
{
	const struct vmsi_effect effect = {
		.kind = VMSI_EFFECT_OBJECT, .thread = 1, .bytes = 30,
		.replaced = 70, .replaced_of = &parent, .stays = true };

	(void)state;
	vmsi_account_measured(&account, &parent, 500);
	assert_int_equal(vmsi_account_grant(&account, &parent, &effect, NULL),
			 0);
	assert_int_equal(account.objects, 100);
	assert_int_equal(vmsi_account_of(&parent), 430);
	/* An object counts once, whoever has it mapped. */
	vmsi_account_measured_objects(&account, 100, false);
	assert_int_equal(committed(), 530);
	vmsi_account_withdraw(&account, &parent, 1);
	assert_int_equal(vmsi_account_of(&parent), 500);
}

static void what_a_process_maps_while_it_forks_is_charged_twice(void **state)
{
	(void)state;
	vmsi_account_measured(&account, &parent, 100);
	assert_int_equal(grant(&parent, VMSI_EFFECT_CHILD, 1, 100), 0);
	assert_int_equal(grant(&parent, VMSI_EFFECT_OWN, 2, 401), -EDQUOT);
	assert_int_equal(grant(&parent, VMSI_EFFECT_OWN, 2, 400), 0);
	assert_int_equal(committed(), LIMIT);
	assert_int_equal(account.copies, 500);
	vmsi_account_confirm(&account, &parent, 1);
	assert_int_equal(vmsi_account_forks_under_way(&parent), 0);
}

static void a_child_takes_the_copy_of_a_fork_that_was_made(void **state)
{
	(void)state;
	assert_int_equal(grant(&parent, VMSI_EFFECT_CHILD, 1, 100), 0);
	assert_int_equal(grant(&parent, VMSI_EFFECT_CHILD, 2, 300), 0);
	vmsi_account_confirm(&account, &parent, 2);
	vmsi_account_add(&account, &child);
	(void)vmsi_account_born(&account, &parent, &child, 90);
	assert_int_equal(vmsi_account_of(&child), 100);
	/* Thread 1's fork may still be copying, and memory was granted since. */
	assert_int_equal(vmsi_account_forks_under_way(&parent), 1);
	assert_int_equal(account.copies, 300);
}

static void a_fork_under_way_keeps_what_it_may_copy(void **state)
{
	(void)state;
	/* Thread 1's fork has failed, 2's has made the child, 3's is under way. */
	assert_int_equal(grant(&parent, VMSI_EFFECT_CHILD, 1, 10), 0);
	assert_int_equal(grant(&parent, VMSI_EFFECT_CHILD, 2, 300), 0);
	assert_int_equal(grant(&parent, VMSI_EFFECT_CHILD, 3, 100), 0);
	vmsi_account_confirm(&account, &parent, 1);
	vmsi_account_confirm(&account, &parent, 2);
	vmsi_account_add(&account, &child);
	vmsi_account_seek(&account);
	(void)vmsi_account_born(&account, &parent, &child, 100);
	vmsi_account_drop_sought(&account);
	assert_true(account.copies >= 100);
}

static void of_two_forks_at_once_the_second_child_is_charged_too(void **state)
{
	(void)state;
	assert_int_equal(grant(&parent, VMSI_EFFECT_CHILD, 1, 100), 0);
	assert_int_equal(grant(&parent, VMSI_EFFECT_CHILD, 2, 100), 0);
	/* This is the child of thread 2, whose fork returns first. */
	vmsi_account_add(&account, &child);
	(void)vmsi_account_born(&account, &parent, &child, 100);
	vmsi_account_confirm(&account, &parent, 2);
	vmsi_account_seek(&account);
	vmsi_account_drop_sought(&account);
	assert_non_null(vmsi_account_find_child(&account, &parent, 100));
	vmsi_account_add(&account, &other);
	(void)vmsi_account_born(&account, &parent, &other, 100);
	assert_int_equal(vmsi_account_of(&child), 100);
	assert_int_equal(vmsi_account_of(&other), 100);
	assert_int_equal(account.copies, 0);
	vmsi_account_confirm(&account, &parent, 1);
	assert_int_equal(account.forks, 0);
}

static void a_child_found_while_it_is_searched_for_is_not_dropped(void **state)
{
	(void)state;
	assert_int_equal(grant(&parent, VMSI_EFFECT_CHILD, 1, 100), 0);
	vmsi_account_seek(&account);
	/* A search that has passed the parent has seen all of its children. */
	vmsi_account_confirm(&account, &parent, 1);
	vmsi_account_drop_sought(&account);
	assert_int_equal(account.copies, 100);
	vmsi_account_seek(&account);
	vmsi_account_drop_sought(&account);
	assert_int_equal(account.copies, 0);
}

static void the_end_leaves_nothing_but_children(void **state)
{
	(void)state;
	assert_int_equal(grant(&parent, VMSI_EFFECT_CHILD, 1, 100), 0);
	assert_int_equal(grant(&parent, VMSI_EFFECT_OWN, 2, 50), 0);
	vmsi_account_ended(&account, &parent);
	assert_int_equal(vmsi_account_of(&parent), 0);
	assert_int_equal(parent.peak, 50);
	assert_int_equal(committed(), 150);
	vmsi_account_add(&account, &child);
	(void)vmsi_account_born(&account, NULL, &child, 150);
	assert_int_equal(committed(), 150);
	vmsi_account_ended(&account, &child);
	assert_int_equal(committed(), 0);
}

static void who_shares_memory_hands_over_what_was_made(void **state)
{
	(void)state;
	vmsi_account_add(&account, &child);
	assert_int_equal(grant(&child, VMSI_EFFECT_OWN, 2, 50), 0);
	assert_false(vmsi_account_hand_over(&account, &child, &parent));
	assert_int_equal(vmsi_account_of(&child), 50);
	vmsi_account_confirm(&account, &child, 2);
	assert_true(vmsi_account_hand_over(&account, &child, &parent));
	assert_int_equal(vmsi_account_of(&child), 0);
	assert_int_equal(vmsi_account_of(&parent), 50);
	assert_int_equal(grant(&child, VMSI_EFFECT_OWN, 2, 7), 0);
	vmsi_account_leave(&account, &child, &parent);
	assert_int_equal(vmsi_account_of(&parent), 57);
}

static void an_image_has_no_credit_and_no_other_threads(void **state)
{
	(void)state;
	parent.credit = 500;
	vmsi_account_measured(&account, &parent, 600);
	assert_int_equal(committed(), 100);
	assert_int_equal(grant(&parent, VMSI_EFFECT_OWN, 2, 50), 0);
	vmsi_account_executes(&account, &parent);
	vmsi_account_measured(&account, &parent, 80);
	assert_int_equal(committed(), 80);
	assert_int_equal(account.twice, 0);
}

static void an_end_is_of_the_peak_as_far_as_it_is_not_known(void **state)
{
	(void)state;
	vmsi_account_measured(&account, &parent, 100);
	vmsi_account_raise_peak(&account);
	assert_int_equal(grant(&parent, VMSI_EFFECT_OWN, 1, 50), 0);
	assert_int_equal(grant(&parent, VMSI_EFFECT_CHILD, 2, 150), 0);
	assert_int_equal(account.peak, 100);
	assert_int_equal(vmsi_account_above_peak(&account, 10), 210);
	vmsi_account_note_last(&account, &parent);
	assert_int_equal(account.peak, 150);
}

static void a_broken_sum_is_seen(void **state)
{
	(void)state;
	account.owned++;
	assert_string_equal(vmsi_account_broken(&account),
			    "A1: the group has not the sum of its processes");
	account.owned--;
	account.copies++;
	assert_non_null(vmsi_account_broken(&account));
	account.copies--;
	account.twice++;
	assert_non_null(vmsi_account_broken(&account));
	account.twice--;
	account.peak = LIMIT + 1;
	assert_non_null(vmsi_account_broken(&account));
	account.peak = 0;
}

#define test(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(a_grant_that_passes_the_limit_changes_nothing),
		test(what_may_not_be_made_counts_on_top_of_figures),
		test(what_moves_counts_until_it_has_moved),
		test(a_call_that_is_withdrawn_was_never_asked_for),
		test(an_object_takes_the_place_of_private_memory),
		test(what_a_process_maps_while_it_forks_is_charged_twice),
		test(a_child_takes_the_copy_of_a_fork_that_was_made),
		test(a_fork_under_way_keeps_what_it_may_copy),
		test(of_two_forks_at_once_the_second_child_is_charged_too),
		test(a_child_found_while_it_is_searched_for_is_not_dropped),
		test(the_end_leaves_nothing_but_children),
		test(who_shares_memory_hands_over_what_was_made),
		test(an_image_has_no_credit_and_no_other_threads),
		test(an_end_is_of_the_peak_as_far_as_it_is_not_known),
		test(a_broken_sum_is_seen),
	};

	return cmocka_run_group_tests_name("group_account", tests, NULL, NULL);
}
