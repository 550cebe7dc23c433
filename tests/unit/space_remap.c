/* SPDX-License-Identifier: MIT */
#include "base/mman.h"
#include "space/remap_rules.h"
#include "space_fixture.h"

/* Which arguments vms_mremap refuses, and by which way it does the rest. */

/* --- the rules of its arguments ---------------------------------------------- */

#define AREA_PAGES 16

/*
 * Hint at addresses far below those that the kernel chooses itself, where a
 * sanitizer's runtime might map memory meanwhile.
 */
#define AREA ((uintptr_t)1 << 32)

struct call {
	uintptr_t old;
	size_t old_length, new_length;
	int flags;
	uintptr_t new_address;
};

/* The kernel answers EFAULT where it has no objection to the arguments. */
static void expect_as_kernel(struct call call)
{
	long answer = vmsi_host.mremap(call.old, call.old_length,
				       call.new_length, call.flags,
				       call.new_address);
	size_t old_length = call.old_length, new_length = call.new_length;
	int rule = vmsi_remap_rules(call.old, &old_length, &new_length,
				    call.flags, call.new_address);

	assert_true(answer == -EINVAL || answer == -EFAULT);
	if (rule != (answer == -EINVAL ? -EINVAL : 0))
		fail_msg("mremap(%#zx, %zu, %zu, %d, %#zx): %d, the kernel %ld",
			 call.old, call.old_length, call.new_length, call.flags,
			 call.new_address, rule, answer);
}

static void arguments_are_refused_as_by_the_kernel(void **state)
{
	const size_t page = vmsi_page_size();
	const size_t lengths[] = { 0, 1, page, page + 1, 3 * page,
				   vmsi_address_limit(),
				   vmsi_address_limit() + page,
				   SIZE_MAX - page, SIZE_MAX };
	const size_t count = sizeof(lengths) / sizeof(*lengths);
	uintptr_t area = (uintptr_t)mmap((void *)AREA, bytes(AREA_PAGES),
					 PROT_NONE, ANONYMOUS, -1, 0);

	(void)state;
	assert_int_equal(munmap((void *)area, bytes(AREA_PAGES)), 0);
	/* Bit 3 is no flag of the kernel's. */
	for (int flags = 0; flags < 16; flags++)
		for (size_t i = 0; i < count * count; i++)
			for (size_t place = 0; place < 8; place++) {
				struct call call = {
					.old = area + 4 * page,
					.old_length = lengths[i / count],
					.new_length = lengths[i % count],
					.flags = flags,
					.new_address = area + place * page,
				};

				expect_as_kernel(call);
				call.new_address++;
				expect_as_kernel(call);
				call.new_address--;
				call.old++;
				expect_as_kernel(call);
			}
}

/* --- ways --------------------------------------------------------------------- */

static void expect_ways(struct vms_space_stats before, uint64_t grown,
			uint64_t moved)
{
	struct vms_space_stats now = stats_now();

	assert_int_equal(now.grown_in_place - before.grown_in_place, grown);
	assert_int_equal(now.moves - before.moves, moved);
}

static void it_grows_in_place_into_a_hole(void **state)
{
	struct vms_space_stats before = stats_now();

	(void)state;
	map_pages(100, 2);
	assert_ptr_equal(vms_mremap(space, at(100), bytes(2), bytes(5), 0,
				    NULL), at(100));
	expect_ways(before, 1, 0);
	memset(at(100), 'x', bytes(5));
	assert_int_equal(listed_at(100)->length, bytes(5));
}

static void it_moves_where_something_is_behind_it(void **state)
{
	struct vms_space_stats before = stats_now();
	char *moved;

	(void)state;
	map_pages(100, 2);
	map_as(102, 1, PROT_READ, ANONYMOUS);
	*at(101) = 'x';
	assert_map_fails(vms_mremap(space, at(100), bytes(2), bytes(5), 0,
				    NULL), ENOMEM);
	assert_int_equal(vms_last_refusal(), VMS_REFUSAL_UNMAPPED);
	expect_ways(before, 0, 0);
	moved = vms_mremap(space, at(100), bytes(2), bytes(5), MREMAP_MAYMOVE,
			   NULL);
	assert_ptr_not_equal(moved, MAP_FAILED);
	expect_ways(before, 0, 1);
	assert_int_equal(moved[bytes(1)], 'x');
	assert_int_equal(listed_at(102)->length, bytes(1));
	assert_int_equal(stats_now().mapped, bytes(6));
}

static void it_shrinks_by_unmapping_its_tail(void **state)
{
	(void)state;
	map_pages(100, 8);
	assert_ptr_equal(vms_mremap(space, at(100), bytes(8), bytes(3), 0,
				    NULL), at(100));
	assert_int_equal(listed_at(100)->length, bytes(3));
	assert_int_equal(stats_now().committed, bytes(3));
}

static void the_same_length_is_left_as_it_is(void **state)
{
	struct vms_space_stats before = stats_now();

	(void)state;
	map_pages(100, 4);
	assert_ptr_equal(vms_mremap(space, at(100), bytes(4), bytes(4),
				    MREMAP_MAYMOVE, NULL), at(100));
	expect_ways(before, 0, 0);
}

static void another_length_to_a_fixed_place_cuts_the_rest(void **state)
{
	struct vms_space_stats before = stats_now();

	(void)state;
	map_pages(100, 4);
	*at(101) = 'x';
	*at(103) = 'y';
	map_as(200, 8, PROT_READ, ANONYMOUS);
	assert_ptr_equal(vms_mremap(space, at(100), bytes(4), bytes(2),
				    MREMAP_MAYMOVE | MREMAP_FIXED, at(202)),
			 at(202));
	expect_ways(before, 0, 1);
	assert_int_equal(*at(203), 'x');
	assert_int_equal(listed_at(200)->length, bytes(2));
	assert_int_equal(listed_at(204)->length, bytes(4));
	assert_int_equal(stats_now().mapped, bytes(8));
	assert_int_equal(vmsi_host_has_pages((struct vmsi_range){
				 (uintptr_t)at(100), (uintptr_t)at(104) }), 0);
}

static void a_kept_source_is_empty_and_charged_again(void **state)
{
	(void)state;
	map_pages(100, 2);
	*at(100) = 'x';
	assert_ptr_equal(vms_mremap(space, at(100), bytes(2), bytes(2),
				    MREMAP_MAYMOVE | MREMAP_DONTUNMAP |
					    MREMAP_FIXED, at(200)), at(200));
	assert_int_equal(*at(200), 'x');
	assert_int_equal(*at(100), 0);
	assert_int_equal(stats_now().committed, bytes(4));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arguments_are_refused_as_by_the_kernel),
		WITH_SPACE(it_grows_in_place_into_a_hole),
		WITH_SPACE(it_moves_where_something_is_behind_it),
		WITH_SPACE(it_shrinks_by_unmapping_its_tail),
		WITH_SPACE(the_same_length_is_left_as_it_is),
		WITH_SPACE(another_length_to_a_fixed_place_cuts_the_rest),
		WITH_SPACE(a_kept_source_is_empty_and_charged_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
