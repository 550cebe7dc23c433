/* SPDX-License-Identifier: MIT */
#include <unistd.h>

#include "space_fixture.h"

/* Where the space places a mapping that asks for no address. */

static size_t huge_pages(void)
{
	return vmsi_huge_page_size() / vmsi_page_size();
}

/* Sixteen huge pages, whatever their size. */
static int open_roomy(void **state)
{
	(void)state;
	space = vms_space_open(16 * vmsi_huge_page_size(), NULL);
	return space ? 0 : -1;
}

static int open_top(void **state)
{
	const struct vms_space_options options = {
		.struct_size = sizeof(options),
		.placement = VMS_PLACE_TOP,
	};

	(void)state;
	space = vms_space_open(16 * vmsi_huge_page_size(), &options);
	return space ? 0 : -1;
}

#define ROOMY(test) \
	cmocka_unit_test_setup_teardown(test, open_roomy, close_space)
#define TOP(test) cmocka_unit_test_setup_teardown(test, open_top, close_space)

static char *place(size_t pages)
{
	char *memory = vms_mmap(space, NULL, bytes(pages), RW, ANONYMOUS, -1,
				0);

	assert_true(memory != MAP_FAILED);
	return memory;
}

static void small_mappings_begin_at_the_bottom(void **state)
{
	(void)state;
	assert_ptr_equal(place(4), at(0));
	assert_ptr_equal(place(2), at(4));
}

static void small_mappings_begin_at_the_top(void **state)
{
	char *end = (char *)vms_space_base(space) + vms_space_size(space);

	(void)state;
	assert_ptr_equal(place(4), end - bytes(4));
	assert_ptr_equal(place(2), end - bytes(6));
}

static void the_smallest_hole_that_fits_is_taken(void **state)
{
	(void)state;
	map_as(0, 8, PROT_READ, ANONYMOUS);
	map_as(20, 8, PROT_READ, ANONYMOUS);   /* a hole of 12 */
	map_as(33, 8, PROT_READ, ANONYMOUS);   /* a hole of 5 */
	map_as(48, 8, PROT_READ, ANONYMOUS);   /* a hole of 7 */
	assert_ptr_equal(place(6), at(41));
	assert_ptr_equal(place(5), at(28));
	assert_ptr_equal(place(9), at(8));
}

static void large_mappings_are_on_huge_pages(void **state)
{
	(void)state;
	place(3);
	for (size_t i = 0; i < 4; i++) {
		char *memory = place(huge_pages() + i);

		assert_true(vmsi_is_aligned((uintptr_t)memory,
					    vmsi_huge_page_size()));
	}
	assert_false(vmsi_is_aligned((uintptr_t)place(huge_pages() - 1),
				     vmsi_huge_page_size()));
}

/* Without an aligned place, any place is taken. */
static void alignment_is_a_wish(void **state)
{
	char *memory;

	(void)state;
	map_as(0, 1, PROT_READ, ANONYMOUS);
	map_as(2 * huge_pages() - 1, 14 * huge_pages() + 1, PROT_NONE,
	       ANONYMOUS);
	memory = place(huge_pages() + 1);
	assert_true(memory >= at(1) &&
		    memory + bytes(huge_pages() + 1) <=
			    at(2 * huge_pages() - 1));
}

/* A file can have huge pages only where address and offset are congruent. */
static void files_are_congruent_to_their_offset(void **state)
{
	int file = memfd_create("place", MFD_CLOEXEC);
	char *memory;

	(void)state;
	assert_int_equal(ftruncate(file, (off_t)bytes(4 * huge_pages())), 0);
	memory = vms_mmap(space, NULL, bytes(2 * huge_pages()), PROT_READ,
			  MAP_SHARED, file, (off_t)bytes(3));
	assert_true(memory != MAP_FAILED);
	assert_int_equal((uintptr_t)memory & (vmsi_huge_page_size() - 1),
			 bytes(3));
	close(file);
}

static void a_hint_is_followed_where_it_is_free(void **state)
{
	char *memory;

	(void)state;
	memory = vms_mmap(space, at(100) + 77, bytes(2), RW, ANONYMOUS, -1, 0);
	assert_ptr_equal(memory, at(100));
	memory = vms_mmap(space, at(99), bytes(2), RW, ANONYMOUS, -1, 0);
	assert_true(memory != MAP_FAILED && memory != at(99));
	assert_true(vms_space_contains(space, memory, bytes(2)));
	memory = vms_mmap(space, (char *)at(0) - bytes(100), bytes(2), RW,
			  ANONYMOUS, -1, 0);
	assert_true(vms_space_contains(space, memory, bytes(2)));
	memory = vms_mmap(space, (void *)(UINTPTR_MAX - bytes(1) + 1), bytes(2),
			  RW, ANONYMOUS, -1, 0);
	assert_true(vms_space_contains(space, memory, bytes(2)));
}

static void what_has_grown_keeps_room_to_grow(void **state)
{
	char *grower = map_pages(16, 4), *other;

	(void)state;
	map_as(0, 16, PROT_READ, ANONYMOUS);
	map_as(256, 4, PROT_READ, ANONYMOUS);
	assert_ptr_equal(vms_mremap(space, grower, bytes(4), bytes(8), 0, NULL),
			 grower);
	/*
	 * The hole behind it is the best fit, and the space takes the far end of it.
	 */
	other = place(100);
	assert_ptr_equal(other, at(156));
	assert_ptr_equal(vms_mremap(space, grower, bytes(8), bytes(100), 0,
				    NULL), grower);
}

static void a_move_is_cheap_to_make(void **state)
{
	const size_t offset = 5;
	char *memory = map_pages(offset, huge_pages()), *moved;

	(void)state;
	map_as(offset + huge_pages(), 1, PROT_READ, ANONYMOUS);
	moved = vms_mremap(space, memory, bytes(huge_pages()),
			   bytes(2 * huge_pages()), MREMAP_MAYMOVE, NULL);
	assert_true(moved != MAP_FAILED && moved != memory);
	assert_int_equal((uintptr_t)moved & (vmsi_huge_page_size() - 1),
			 bytes(offset));
	/* It can go on growing in place. */
	assert_ptr_equal(vms_mremap(space, moved, bytes(2 * huge_pages()),
				    bytes(4 * huge_pages()), 0, NULL), moved);
}

static void a_full_space_says_so(void **state)
{
	(void)state;
	place(16 * huge_pages());
	assert_map_fails(vms_mmap(space, NULL, bytes(1), RW, ANONYMOUS, -1, 0),
			 ENOMEM);
	assert_int_equal(vms_last_refusal(), VMS_REFUSAL_ADDRESSES);
	assert_map_fails(vms_mremap(space, at(0), bytes(1), bytes(2),
				    MREMAP_MAYMOVE, NULL), ENOMEM);
	assert_int_equal(vms_last_refusal(), VMS_REFUSAL_ADDRESSES);
	assert_map_fails(vms_mremap(space, at(0), bytes(1), bytes(2), 0, NULL),
			 ENOMEM);
	assert_int_equal(vms_last_refusal(), VMS_REFUSAL_UNMAPPED);
	assert_int_equal(vms_munmap(space, at(7), bytes(1)), 0);
	assert_ptr_equal(place(1), at(7));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROOMY(small_mappings_begin_at_the_bottom),
		TOP(small_mappings_begin_at_the_top),
		ROOMY(the_smallest_hole_that_fits_is_taken),
		ROOMY(large_mappings_are_on_huge_pages),
		ROOMY(alignment_is_a_wish),
		ROOMY(files_are_congruent_to_their_offset),
		ROOMY(a_hint_is_followed_where_it_is_free),
		ROOMY(what_has_grown_keeps_room_to_grow),
		ROOMY(a_move_is_cheap_to_make),
		ROOMY(a_full_space_says_so),
	};

	return cmocka_run_group_tests_name("space_place", tests, NULL, NULL);
}
