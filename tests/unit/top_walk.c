/* SPDX-License-Identifier: MIT */
#include "top_fixture.h"

#include "cli/top/walk.h"

/* Who is walked over for its commit, and when. */

#define NOW (100 * SECOND)

static struct vmsi_top_walk walked(const struct vmsi_top_entry *entry, uint64_t at)
{
	return (struct vmsi_top_walk){
		.born = entry->id.born, .at = at, .is_known = true,
		.addresses = entry->addresses,
		.writable = entry->figures.of[VMSI_TOP_WRITABLE],
	};
}

static struct vmsi_top_entry entry_of(int64_t resident)
{
	struct vmsi_top_entry entry = { .id = { 7, 1007 }, .addresses = 1 << 30 };

	vmsi_top_set(&entry.figures, VMSI_TOP_RESIDENT, resident);
	vmsi_top_set(&entry.figures, VMSI_TOP_WRITABLE, 1 << 20);
	return entry;
}

static void what_seems_the_same_is_kept_for_a_while(void **state)
{
	const struct vmsi_top_entry entry = entry_of(4096);
	const struct vmsi_top_walk walk = walked(&entry, NOW);

	(void)state;
	assert_int_equal(vmsi_top_walk_urgency(&walk, &entry, NOW), 0);
	assert_int_equal(vmsi_top_walk_urgency(&walk, &entry,
					       NOW + VMSI_TOP_WALK_KEPT - 1), 0);
	assert_int_not_equal(vmsi_top_walk_urgency(&walk, &entry,
						   NOW + VMSI_TOP_WALK_KEPT), 0);
}

static void other_sums_of_mappings_make_it_old(void **state)
{
	struct vmsi_top_entry entry = entry_of(4096);
	const struct vmsi_top_walk walk = walked(&entry, NOW);

	(void)state;
	assert_false(vmsi_top_walk_is_old(&walk, &entry));
	vmsi_top_set(&entry.figures, VMSI_TOP_RESIDENT, 1 << 20);
	assert_false(vmsi_top_walk_is_old(&walk, &entry));
	entry.addresses += 4096;
	assert_true(vmsi_top_walk_is_old(&walk, &entry));
	assert_int_not_equal(vmsi_top_walk_urgency(&walk, &entry, NOW), 0);
	entry.addresses -= 4096;
	vmsi_top_set(&entry.figures, VMSI_TOP_WRITABLE, 2 << 20);
	assert_true(vmsi_top_walk_is_old(&walk, &entry));
	/* Another process has nothing of it. */
	entry.id.born++;
	{
		struct vmsi_top_walk met = walk;

		vmsi_top_walk_meet(&met, &entry, NOW);
		assert_false(met.is_known);
		assert_int_equal(met.born, entry.id.born);
	}
}

static void large_memory_is_left_to_who_asks_for_it(void **state)
{
	const struct vmsi_top_entry most = entry_of(VMSI_TOP_WALK_RESIDENT);
	const struct vmsi_top_entry more = entry_of(VMSI_TOP_WALK_RESIDENT + 4096);
	struct vmsi_top_walk walk = { 0 };

	(void)state;
	vmsi_top_walk_meet(&walk, &most, NOW);
	assert_int_not_equal(vmsi_top_walk_urgency(&walk, &most, NOW), 0);
	assert_int_equal(vmsi_top_walk_urgency(&walk, &more, NOW + 3600 * SECOND), 0);
}

static void who_was_refused_is_asked_again_later(void **state)
{
	const struct vmsi_top_entry entry = entry_of(4096);
	const struct vmsi_top_walk walk = {
		.born = entry.id.born, .at = NOW, .is_put_off = true,
	};

	(void)state;
	assert_int_equal(vmsi_top_walk_urgency(&walk, &entry, NOW + SECOND), 0);
	assert_int_not_equal(vmsi_top_walk_urgency(&walk, &entry,
						   NOW + VMSI_TOP_WALK_KEPT), 0);
}

/*
 * Three on the screen change all the time and one walk fits into a look: the tenth of the
 * others, which is not known, has its turn within as many looks as it is less urgent.
 */
static void everybody_has_a_turn(void **state)
{
	struct vmsi_top_entry list[10];
	struct vmsi_top_walk walks[10] = { { 0 } };
	unsigned turns[10] = { 0 };

	(void)state;
	for (unsigned i = 0; i < 10; i++) {
		list[i] = entry_of(4096);
		list[i].is_shown = i < 3;
		vmsi_top_walk_meet(&walks[i], &list[i], NOW);
	}
	for (unsigned look = 0; look < 100; look++) {
		const uint64_t now = NOW + look * SECOND;
		unsigned first = 0;

		for (unsigned i = 1; i < 10; i++)
			if (vmsi_top_walk_urgency(&walks[i], &list[i], now) >
			    vmsi_top_walk_urgency(&walks[first], &list[first], now))
				first = i;
		walks[first] = walked(&list[first], now);
		turns[first]++;
		for (unsigned i = 0; i < 3; i++)
			list[i].addresses += 4096;
	}
	for (unsigned i = 0; i < 3; i++)
		assert_in_range(turns[i], 20, 40);
	for (unsigned i = 3; i < 10; i++)
		assert_in_range(turns[i], 1, 3);
}

static void credit_is_earned_with_time(void **state)
{
	struct vmsi_top_credit credit = { 0 };

	(void)state;
	vmsi_top_credit_earn(&credit, NOW, 1000000);
	assert_int_equal(credit.left, VMSI_TOP_CREDIT_MOST);
	credit.left = -1000000;
	vmsi_top_credit_earn(&credit, NOW + SECOND, 0);
	assert_int_equal(credit.left, 7500000);
	vmsi_top_credit_earn(&credit, NOW + SECOND, 0);
	assert_int_equal(credit.left, 7500000);
	/* What the rest has taken is not there for walks, but for a little of it. */
	vmsi_top_credit_earn(&credit, NOW + 2 * SECOND, 6000000);
	assert_int_equal(credit.left, 10000000);
	vmsi_top_credit_earn(&credit, NOW + 3 * SECOND, 900000000);
	assert_int_equal(credit.left, 11000000);
	vmsi_top_credit_earn(&credit, NOW + 100 * SECOND, 0);
	assert_int_equal(credit.left, VMSI_TOP_CREDIT_MOST);
	/* A computer that slept for a year. */
	credit.left = 0;
	vmsi_top_credit_earn(&credit, NOW + 31536000 * SECOND, 0);
	assert_int_equal(credit.left, VMSI_TOP_CREDIT_MOST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_seems_the_same_is_kept_for_a_while),
		cmocka_unit_test(other_sums_of_mappings_make_it_old),
		cmocka_unit_test(large_memory_is_left_to_who_asks_for_it),
		cmocka_unit_test(who_was_refused_is_asked_again_later),
		cmocka_unit_test(everybody_has_a_turn),
		cmocka_unit_test(credit_is_earned_with_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
