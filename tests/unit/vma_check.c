/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vma_fixture.h"

/* Each test breaks one invariant of a sound map; the teardown needs it mended. */

static void assert_unsound(const char *number)
{
	const char *wrong = vmsi_map_check(&map);

	assert_non_null(wrong);
	if (strncmp(wrong, number, strlen(number)) != 0)
		fail_msg("expected %s, found: %s", number, wrong);
}

static void mappings_are_within_bounds_and_not_empty(void **state)
{
	struct vmsi_mapping *mapping = insert(4, 8);

	(void)state;
	mapping->start = BASE - PAGE;
	assert_unsound("M1");
	mapping->start = mapping->end;
	assert_unsound("M1");
	mapping->start = at(4);
	assert_sound();
}

static void mappings_are_in_order(void **state)
{
	struct vmsi_mapping *mapping = insert(4, 8);

	(void)state;
	insert(10, 12);
	mapping->end = at(11);
	assert_unsound("M2");
	mapping->end = at(8);
	assert_sound();
}

static void mappings_are_at_their_places_in_the_index(void **state)
{
	struct vmsi_mapping *mapping = insert(4, 8);

	(void)state;
	insert(10, 12);
	mapping->end = at(7);
	assert_unsound("M2");
	mapping->end = at(8);
	mapping->start = at(3);
	assert_unsound("M2");
	mapping->start = at(4);
	assert_sound();
}

static void links_lead_to_the_neighbours(void **state)
{
	struct vmsi_mapping *low = insert(4, 8), *middle = insert(10, 12),
		*high = insert(14, 16);

	(void)state;
	low->next = high;
	assert_unsound("M2");
	low->next = middle;
	high->previous = low;
	assert_unsound("M2");
	high->previous = middle;
	low->previous = high;
	assert_unsound("M2");
	low->previous = NULL;
	high->next = middle;
	assert_unsound("M2");
	high->next = &map.end;
	map.end.previous = middle;
	assert_unsound("M2");
	map.end.previous = high;
	assert_sound();
}

static void neighbours_differ(void **state)
{
	struct vmsi_attributes other = plain;
	struct vmsi_mapping *mapping;

	(void)state;
	other.prot = PROT_READ;
	insert(4, 8);
	mapping = insert_as(8, 10, 0, &other);
	mapping->attributes.prot = plain.prot;
	assert_unsound("M3");
}

static void only_objects_have_offsets(void **state)
{
	struct vmsi_mapping *mapping = insert(4, 8);

	(void)state;
	mapping->offset = PAGE;
	assert_unsound("M4");
}

static void gaps_are_measured(void **state)
{
	(void)state;
	insert(4, 8);
	map.end.gap -= PAGE;
	assert_unsound("M5");
	map.end.gap += PAGE;
	assert_sound();
}

static struct vmsi_tree_key gap_key(const struct vmsi_mapping *owner)
{
	return (struct vmsi_tree_key){ owner->gap, owner->start };
}

static void gaps_are_in_their_index(void **state)
{
	struct vmsi_mapping *low = insert(4, 8), *high = insert(10, 12);

	(void)state;
	vmsi_tree_remove(&map.by_gap, gap_key(low));
	assert_unsound("M6");
	vmsi_tree_insert(&map.by_gap, gap_key(low), high);
	assert_unsound("M6");
}

static void nothing_else_is_in_the_index_of_gaps(void **state)
{
	struct vmsi_mapping *mapping = insert(4, 8);

	(void)state;
	vmsi_tree_insert(&map.by_gap, (struct vmsi_tree_key){ PAGE, at(4) },
			 mapping);
	assert_unsound("tree");
}

static void bytes_are_counted(void **state)
{
	(void)state;
	insert(4, 8);
	map.mapped++;
	assert_unsound("M7");
}

static void records_are_counted(void **state)
{
	(void)state;
	insert(4, 8);
	map.pool.used_count++;
	assert_unsound("M8");
}

static void nodes_are_counted(void **state)
{
	(void)state;
	insert(4, 8);
	map.nodes.used_count++;
	assert_unsound("M8");
}

static void entries_are_counted(void **state)
{
	(void)state;
	insert(4, 8);
	map.count++;
	assert_unsound("tree");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		map_test(mappings_are_within_bounds_and_not_empty),
		map_test(mappings_are_in_order),
		map_test(mappings_are_at_their_places_in_the_index),
		map_test(links_lead_to_the_neighbours),
		map_test(neighbours_differ),
		map_test(only_objects_have_offsets),
		map_test(gaps_are_measured),
		map_test(gaps_are_in_their_index),
		map_test(nothing_else_is_in_the_index_of_gaps),
		map_test(bytes_are_counted),
		map_test(records_are_counted),
		map_test(nodes_are_counted),
		map_test(entries_are_counted),
	};

	return cmocka_run_group_tests_name("vma_check", tests, NULL, NULL);
}
