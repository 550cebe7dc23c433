/* SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "space_fixture.h"

/* Names of mappings. */

static void a_name_is_listed(void **state)
{
	char name[] = "heap";

	(void)state;
	map_pages(16, 4);
	assert_string_equal(listed_at(16)->name, "");
	assert_int_equal(vms_set_name(space, at(16), bytes(4), name), 0);
	name[0] = 'X';
	assert_string_equal(listed_at(16)->name, "heap");
	assert_int_equal(vms_set_name(space, at(16), bytes(4), NULL), 0);
	assert_string_equal(listed_at(16)->name, "");
	assert_int_equal(vms_set_name(space, at(16), bytes(4), ""), 0);
	assert_string_equal(listed_at(16)->name, "");
}

static void names_keep_mappings_apart(void **state)
{
	(void)state;
	map_pages(16, 8);
	assert_int_equal(vms_set_name(space, at(18), bytes(2), "part"), 0);
	assert_int_equal(stats_now().mappings, 3);
	assert_int_equal(listed_at(16)->length, bytes(2));
	assert_string_equal(listed_at(18)->name, "part");
	assert_string_equal(listed_at(20)->name, "");
	assert_int_equal(vms_set_name(space, at(16), bytes(8), "all"), 0);
	assert_int_equal(stats_now().mappings, 1);
	assert_int_equal(vms_set_name(space, at(16), bytes(8), NULL), 0);
	assert_int_equal(stats_now().mappings, 1);
}

static void equal_names_are_one(void **state)
{
	(void)state;
	map_pages(16, 4);
	map_pages(24, 4);
	vms_set_name(space, at(16), bytes(4), "same");
	vms_set_name(space, at(24), bytes(4), "same");
	map_pages(20, 4);
	vms_set_name(space, at(20), bytes(4), "same");
	assert_int_equal(stats_now().mappings, 1);
}

static void a_name_goes_along(void **state)
{
	char *moved;

	(void)state;
	map_pages(16, 4);
	vms_set_name(space, at(16), bytes(4), "mover");
	assert_ptr_equal(vms_mremap(space, at(16), bytes(4), bytes(8), 0, NULL),
			 at(16));
	assert_int_equal(listed_at(16)->length, bytes(8));
	map_as(24, 1, PROT_READ, ANONYMOUS);
	moved = vms_mremap(space, at(16), bytes(8), bytes(9), MREMAP_MAYMOVE,
			   NULL);
	assert_true(moved != MAP_FAILED);
	assert_string_equal(
		listed_at((size_t)(moved - at(0)) / bytes(1))->name, "mover");
	assert_int_equal(stats_now().mappings, 2);
}

static void a_new_mapping_has_no_name(void **state)
{
	(void)state;
	map_pages(16, 4);
	vms_set_name(space, at(16), bytes(4), "old");
	map_pages(16, 4);
	assert_string_equal(listed_at(16)->name, "");
}

static void bad_names_are_refused(void **state)
{
	static const char *const bad[] = { "a[b", "a]b", "a\\b", "a$b", "a`b",
					   "tab\t", "\x7f", "\xc3\xa4" };
	char name[VMS_NAME_MAX + 2];

	(void)state;
	map_pages(16, 4);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_fails(vms_set_name(space, at(16), bytes(1), bad[i]),
			     EINVAL);
	memset(name, 'n', sizeof(name));
	name[VMS_NAME_MAX + 1] = '\0';
	assert_fails(vms_set_name(space, at(16), bytes(1), name), EINVAL);
	name[VMS_NAME_MAX] = '\0';
	assert_int_equal(vms_set_name(space, at(16), bytes(4), name), 0);
	assert_string_equal(listed_at(16)->name, name);
}

static void a_hole_leaves_all_unnamed(void **state)
{
	(void)state;
	map_pages(16, 4);
	map_pages(24, 4);
	assert_fails(vms_set_name(space, at(16), bytes(12), "x"), ENOMEM);
	assert_int_equal(vms_last_refusal(), VMS_REFUSAL_UNMAPPED);
	assert_string_equal(listed_at(16)->name, "");
}

/* Use more names than the table has entries, but not at once. */
static void many_names_come_and_go(void **state)
{
	size_t metadata = 0;
	char name[32];

	(void)state;
	for (int round = 0; round < 50; round++) {
		for (unsigned i = 0; i < 200; i++) {
			map_pages(2 * i, 1);
			snprintf(name, sizeof(name), "name %d.%u", round, i);
			assert_int_equal(vms_set_name(space, at(2 * i),
						      bytes(1), name), 0);
			assert_string_equal(listed_at(2 * i)->name, name);
		}
		assert_int_equal(vms_munmap(space, at(0), bytes(400)), 0);
		if (round == 1)
			metadata = stats_now().metadata;
	}
	assert_int_equal(stats_now().metadata, metadata);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SPACE(a_name_is_listed),
		WITH_SPACE(names_keep_mappings_apart),
		WITH_SPACE(equal_names_are_one),
		WITH_SPACE(a_name_goes_along),
		WITH_SPACE(a_new_mapping_has_no_name),
		WITH_SPACE(bad_names_are_refused),
		WITH_SPACE(a_hole_leaves_all_unnamed),
		WITH_SPACE(many_names_come_and_go),
	};

	return cmocka_run_group_tests_name("space_name", tests, NULL, NULL);
}
