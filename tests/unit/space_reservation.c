/* SPDX-License-Identifier: MIT */
#include "base/mman.h"
#include "space/cover.h"
#include "space_fixture.h"

/*
 * The reservation covers every address of a space that is in no mapping: what a
 * failed call has unmapped is covered again, a leftover is tried again, and foreign
 * memory is left alone. Holes that are likely to be mapped again stay warm: writable
 * and not yet given back.
 */

static struct vmsi_host_calls real;

static int keep_real_calls(void **state)
{
	(void)state;
	real = vmsi_host;
	return open_space(state);
}

static int end(void **state)
{
	vmsi_host = real;
	return close_space(state);
}

#define WITH_REAL_CALLS(test) \
	cmocka_unit_test_setup_teardown(test, keep_real_calls, end)

static struct vmsi_range pages_at(size_t page, size_t pages)
{
	return (struct vmsi_range){ (uintptr_t)at(page),
				    (uintptr_t)at(page + pages) };
}

static void expect_hole(size_t page, size_t pages)
{
	struct vmsi_range range = pages_at(page, pages);

	assert_true(vmsi_map_is_free(&space->map, range));
	assert_int_equal(vmsi_host_is_mapped(range), 1);
}

/* --- calls that destroy their target --------------------------------------- */

static uintptr_t target;
static char *foreign_place;

/* A driver's mmap may refuse when the kernel has already unmapped the target. */
static long destroying_mmap(uintptr_t address, size_t length, int prot,
			    int flags, int fd, uint64_t offset)
{
	if (address != target || !(flags & MAP_FIXED))
		return real.mmap(address, length, prot, flags, fd, offset);
	target = 0;
	(void)real.munmap(address, length);
	if (foreign_place &&
	    mmap(foreign_place, bytes(1), RW, ANONYMOUS | MAP_FIXED_NOREPLACE,
		 -1, 0) == foreign_place)
		*foreign_place = 'f';
	return -ENOMEM;
}

static void expect_refused_over(size_t page, size_t pages)
{
	target = (uintptr_t)at(page);
	vmsi_host.mmap = destroying_mmap;
	assert_map_fails(vms_mmap(space, at(page), bytes(pages), RW,
				  SHARED | MAP_FIXED, -1, 0), ENOMEM);
	vmsi_host = real;
}

static void what_a_failed_call_destroyed_is_a_hole(void **state)
{
	(void)state;
	map_pages(100, 8);
	expect_refused_over(102, 4);
	expect_hole(102, 4);
	assert_int_equal(stats_now().committed, bytes(4));
	assert_int_equal(listed_at(100)->length, bytes(2));
	assert_int_equal(listed_at(106)->length, bytes(2));
}

static void others_in_a_destroyed_target_are_left_alone(void **state)
{
	(void)state;
	map_pages(100, 8);
	foreign_place = at(103);
	expect_refused_over(102, 4);
	foreign_place = NULL;
	expect_hole(102, 1);
	expect_hole(104, 2);
	assert_int_equal(*at(103), 'f');
	assert_int_equal(vms_munmap(space, at(103), bytes(1)), 0);
}

/* --- leftovers -------------------------------------------------------------- */

static long no_reservation(uintptr_t address, size_t length, int prot,
			   int flags, int fd, uint64_t offset)
{
	if (prot == PROT_NONE && (flags & MAP_FIXED))
		return -ENOMEM;
	return real.mmap(address, length, prot, flags, fd, offset);
}

static void what_the_host_does_not_replace_is_tried_again(void **state)
{
	(void)state;
	map_pages(100, 4);
	vmsi_host.mmap = no_reservation;
	assert_ptr_equal(vms_mremap(space, at(100), bytes(4), bytes(4),
				    MREMAP_MAYMOVE | MREMAP_FIXED, at(200)),
			 at(200));
	assert_int_equal(vmsi_uncovered_count(space).bytes, bytes(4));
	assert_int_equal(vmsi_uncovered_count(space).foreign, 0);
	/* The leftover is not listed, and nothing is placed on it. */
	assert_int_equal(stats_now().mapped, bytes(4));
	assert_ptr_not_equal(vms_mmap(space, at(100), bytes(4), RW, ANONYMOUS,
				      -1, 0), at(100));
	vmsi_host = real;
	assert_int_equal(stats_now().mapped, bytes(8));
	assert_int_equal(vmsi_uncovered_count(space).bytes, 0);
	expect_hole(100, 4);
}

/* --- warm holes ------------------------------------------------------------- */

static unsigned maps_made;

static long counting_mmap(uintptr_t address, size_t length, int prot,
			  int flags, int fd, uint64_t offset)
{
	maps_made++;
	return real.mmap(address, length, prot, flags, fd, offset);
}

static void a_hole_of_a_whole_mapping_is_used_again(void **state)
{
	char *memory = vms_mmap(space, NULL, bytes(3), RW, ANONYMOUS, -1, 0);

	(void)state;
	memory[0] = 'x';
	assert_int_equal(vms_munmap(space, memory, bytes(3)), 0);
	assert_int_equal(space->warm.count, 1);
	maps_made = 0;
	vmsi_host.mmap = counting_mmap;
	assert_ptr_equal(vms_mmap(space, NULL, bytes(3), RW, ANONYMOUS, -1, 0),
			 memory);
	vmsi_host = real;
	assert_int_equal(maps_made, 0);
	assert_int_equal(memory[0], 0);
	assert_int_equal(space->warm.count, 0);
}

static void a_warm_hole_ends_where_something_is_mapped(void **state)
{
	(void)state;
	map_pages(100, 8);
	assert_int_equal(vms_munmap(space, at(100), bytes(8)), 0);
	map_pages(103, 1);
	/* The upper part stays warm; the reservation covers the lower one again. */
	assert_int_equal(space->warm.count, 1);
	assert_int_equal(space->warm.all[0].start, (uintptr_t)at(104));
	assert_int_equal(space->warm.all[0].end, (uintptr_t)at(108));
}

static void warm_holes_are_few(void **state)
{
	const size_t most = VMSI_WARM_HOLES;

	(void)state;
	for (size_t i = 0; i <= 2 * most; i++)
		map_pages(100 + 4 * i, 2);
	for (size_t i = 0; i < most; i++)
		assert_int_equal(vms_munmap(space, at(100 + 4 * i), bytes(2)),
				 0);
	assert_int_equal(space->warm.count, most);
	/* With all entries taken, only one in so many holes takes an entry over. */
	for (size_t i = most; i < 2 * most - 1; i++)
		assert_int_equal(vms_munmap(space, at(100 + 4 * i), bytes(2)),
				 0);
	assert_int_equal(space->warm.all[0].start, (uintptr_t)at(100));
	assert_int_equal(vms_munmap(space, at(100 + 4 * (2 * most - 1)),
				    bytes(2)), 0);
	assert_int_equal(space->warm.count, most);
	assert_int_equal(space->warm.all[0].start, (uintptr_t)at(104));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_REAL_CALLS(what_a_failed_call_destroyed_is_a_hole),
		WITH_REAL_CALLS(others_in_a_destroyed_target_are_left_alone),
		WITH_REAL_CALLS(what_the_host_does_not_replace_is_tried_again),
		WITH_REAL_CALLS(a_hole_of_a_whole_mapping_is_used_again),
		WITH_REAL_CALLS(a_warm_hole_ends_where_something_is_mapped),
		WITH_REAL_CALLS(warm_holes_are_few),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
