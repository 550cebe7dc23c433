/* SPDX-License-Identifier: MIT */
#include "space/entry.h"
#include "space/records.h"
#include "space/walk.h"
#include "space_fixture.h"

/*
 * What an operation publishes: the ledger is the sum over the map, and objects
 * and names live as long as a byte of them is mapped.
 */

static struct vmsi_range pages_at(size_t page, size_t pages)
{
	return (struct vmsi_range){ (uintptr_t)at(page),
				    (uintptr_t)at(page + pages) };
}

static size_t objects_known(void)
{
	return space->objects.object_pool.used_count;
}

static size_t names_known(void)
{
	return space->objects.name_pool.used_count;
}

static void what_is_replaced_is_uncharged(void **state)
{
	const struct vmsi_attributes read_only = {
		.prot = PROT_READ, .flags = VMSI_ANONYMOUS,
	};

	(void)state;
	map_pages(100, 8);
	assert_int_equal(stats_now().committed, bytes(8));
	assert_int_equal(vmsi_enter(space), 0);
	assert_int_equal(vmsi_reserve_records(space), 0);
	vmsi_publish(space, pages_at(102, 3), 0, &read_only);
	vmsi_leave(space);
	assert_int_equal(stats_now().committed, bytes(5));
	assert_int_equal(vmsi_charged_in(space, pages_at(100, 4)), bytes(2));
}

static void an_object_lives_as_long_as_it_is_mapped(void **state)
{
	(void)state;
	map_as(100, 8, RW, SHARED);
	assert_int_equal(objects_known(), 1);
	assert_int_equal(vms_munmap(space, at(102), bytes(6)), 0);
	assert_int_equal(objects_known(), 1);
	/* Shared memory is charged at the size of its object. */
	assert_int_equal(stats_now().committed, bytes(8));
	assert_int_equal(vms_munmap(space, at(100), bytes(2)), 0);
	assert_int_equal(objects_known(), 0);
	assert_int_equal(stats_now().committed, 0);
}

static void an_object_outlives_its_only_mapping_for_the_next(void **state)
{
	int fd = memfd_create("records", MFD_CLOEXEC);
	struct vmsi_object *object;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)bytes(4)), 0);
	for (int i = 0; i < 2; i++)
		assert_ptr_equal(vms_mmap(space, at(100), bytes(4), RW,
					  MAP_SHARED | MAP_FIXED, fd, 0),
				 at(100));
	assert_int_equal(objects_known(), 1);
	object = vmsi_lookup(space, (uintptr_t)at(100))->attributes.object;
	assert_int_equal(object->mapped, bytes(4));
	assert_int_equal(vms_munmap(space, at(100), bytes(4)), 0);
	assert_int_equal(objects_known(), 0);
	close(fd);
}

static void a_name_is_kept_once(void **state)
{
	(void)state;
	map_pages(100, 8);
	assert_int_equal(vms_set_name(space, at(100), bytes(2), "one"), 0);
	assert_int_equal(vms_set_name(space, at(104), bytes(2), "one"), 0);
	assert_int_equal(names_known(), 1);
	assert_int_equal(vms_set_name(space, at(104), bytes(2), "two"), 0);
	assert_int_equal(names_known(), 2);
	assert_int_equal(vms_set_name(space, at(100), bytes(2), NULL), 0);
	assert_int_equal(names_known(), 1);
	assert_int_equal(vms_munmap(space, at(100), bytes(8)), 0);
	assert_int_equal(names_known(), 0);
}

static bool is_known_touched(size_t page)
{
	const struct vmsi_mapping *mapping =
		vmsi_lookup(space, (uintptr_t)at(page));

	return vmsi_has(&mapping->attributes, VMSI_TOUCHED);
}

/* A system call for touched pages is made only where a mapping is cut. */
static void a_mapping_that_goes_whole_is_not_looked_at(void **state)
{
	(void)state;
	map_pages(100, 4);
	*at(101) = 'x';
	vmsi_learn_touched(space, pages_at(100, 4), VMSI_LEARN_SPLIT);
	assert_false(is_known_touched(100));
	/*
	 * The kernel's mark is the whole mapping's, so both parts count as touched.
	 */
	vmsi_learn_touched(space, pages_at(103, 1), VMSI_LEARN_SPLIT);
	assert_true(is_known_touched(100));
	map_pages(200, 4);
	vmsi_learn_touched(space, pages_at(200, 4), VMSI_LEARN_ALL);
	assert_false(is_known_touched(200));
	*at(200) = 'x';
	vmsi_learn_touched(space, pages_at(200, 4), VMSI_LEARN_ALL);
	assert_true(is_known_touched(200));
}

/* An operation leaves records, so that memory can be given back without new ones. */
static void operations_leave_records_for_giving_back(void **state)
{
	size_t left;

	(void)state;
	assert_int_equal(vmsi_reserve_records(space), 0);
	left = space->map.pool.free_count;
	assert_int_equal(vmsi_reserve_to_give_back(space), 0);
	assert_int_equal(space->map.pool.free_count, left);
	assert_true(left >= 2 * 8 * VMSI_MAP_RECORDS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SPACE(what_is_replaced_is_uncharged),
		WITH_SPACE(an_object_lives_as_long_as_it_is_mapped),
		WITH_SPACE(an_object_outlives_its_only_mapping_for_the_next),
		WITH_SPACE(a_name_is_kept_once),
		WITH_SPACE(a_mapping_that_goes_whole_is_not_looked_at),
		WITH_SPACE(operations_leave_records_for_giving_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
