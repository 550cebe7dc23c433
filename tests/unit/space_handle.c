/* SPDX-License-Identifier: MIT */
#include "space_fixture.h"

/* Handles: the rules of vmspace/handle.h. */

static vms_handle hold(size_t page, size_t pages)
{
	vms_handle handle = VMS_HANDLE_NONE;

	assert_int_equal(vms_handle_open(space, at(page), bytes(pages),
					 &handle), 0);
	assert_true(handle.value != VMS_HANDLE_NONE.value);
	return handle;
}

static void expect_place(vms_handle handle, const void *address, size_t pages)
{
	assert_ptr_equal(vms_handle_address(space, handle), address);
	assert_int_equal(vms_handle_length(space, handle), bytes(pages));
}

/* Using a stale handle ends a debug build; tests/death shows that. */
static void expect_stale(vms_handle handle)
{
#ifdef VMSI_DEBUG
	(void)handle;
#else
	errno = 0;
	assert_null(vms_handle_address(space, handle));
	assert_int_equal(errno, ESTALE);
	errno = 0;
	assert_int_equal(vms_handle_length(space, handle), 0);
	assert_int_equal(errno, ESTALE);
	errno = 0;
	assert_null(vms_handle_at(space, handle, 0, 1));
	assert_int_equal(errno, ESTALE);
	assert_fails(vms_handle_resize(space, handle, bytes(1)), ESTALE);
	assert_fails(vms_handle_close(space, handle), ESTALE);
#endif
}

static void a_handle_tells_its_range(void **state)
{
	vms_handle handle;

	(void)state;
	map_pages(16, 8);
	handle = hold(18, 4);
	expect_place(handle, at(18), 4);
	assert_int_equal(vms_handle_close(space, handle), 0);
}

static void a_length_is_rounded_up(void **state)
{
	vms_handle handle;

	(void)state;
	map_pages(16, 8);
	assert_int_equal(vms_handle_open(space, at(16), 1, &handle), 0);
	expect_place(handle, at(16), 1);
	assert_int_equal(vms_handle_open(space, at(17), bytes(1) + 1, &handle),
			 0);
	expect_place(handle, at(17), 2);
}

static void offsets_must_be_inside(void **state)
{
	vms_handle handle;

	(void)state;
	map_pages(16, 8);
	handle = hold(16, 2);
	assert_ptr_equal(vms_handle_at(space, handle, 0, bytes(2)), at(16));
	assert_ptr_equal(vms_handle_at(space, handle, 5, bytes(2) - 5),
			 at(16) + 5);
	assert_ptr_equal(vms_handle_at(space, handle, bytes(2), 0), at(18));
	errno = 0;
	assert_null(vms_handle_at(space, handle, 5, bytes(2)));
	assert_int_equal(errno, ERANGE);
	assert_null(vms_handle_at(space, handle, bytes(2), 1));
	assert_null(vms_handle_at(space, handle, SIZE_MAX, 2));
	assert_null(vms_handle_at(space, handle, 2, SIZE_MAX));
}

static void a_handle_needs_mapped_memory(void **state)
{
	vms_handle handle = { 42 };

	(void)state;
	map_pages(16, 4);
	map_as(20, 4, PROT_NONE, ANONYMOUS);
	assert_fails(vms_handle_open(space, at(30), bytes(1), &handle), EFAULT);
	assert_fails(vms_handle_open(space, at(18), bytes(7), &handle), EFAULT);
	assert_fails(vms_handle_open(space, at(15), bytes(2), &handle), EFAULT);
	assert_int_equal(handle.value, 42);
	/* A handle may name several mappings in a row. */
	expect_place(hold(18, 6), at(18), 6);
}

static void ranges_of_handles_do_not_overlap(void **state)
{
	vms_handle first, handle = { 42 };

	(void)state;
	map_pages(16, 16);
	first = hold(20, 4);
	assert_fails(vms_handle_open(space, at(20), bytes(4), &handle), EEXIST);
	assert_fails(vms_handle_open(space, at(23), bytes(2), &handle), EEXIST);
	assert_fails(vms_handle_open(space, at(17), bytes(4), &handle), EEXIST);
	assert_int_equal(handle.value, 42);
	expect_place(hold(16, 4), at(16), 4);
	expect_place(hold(24, 4), at(24), 4);
	assert_int_equal(vms_handle_close(space, first), 0);
	expect_place(hold(20, 4), at(20), 4);
}

static void a_closed_handle_is_stale_and_its_memory_stays(void **state)
{
	vms_handle handle;

	(void)state;
	map_pages(16, 4)[0] = 9;
	handle = hold(16, 4);
	assert_int_equal(vms_handle_close(space, handle), 0);
	assert_int_equal(at(16)[0], 9);
	expect_stale(handle);
	/* A reused entry of the table gives a different handle. */
	assert_true(hold(16, 4).value != handle.value);
	expect_stale(handle);
}

static void handles_of_nothing_are_stale(void **state)
{
	(void)state;
	expect_stale(VMS_HANDLE_NONE);
	expect_stale((vms_handle){ UINT64_MAX });
	expect_stale((vms_handle){ 1 });
	map_pages(16, 4);
	hold(16, 4);
	expect_stale(VMS_HANDLE_NONE);
	expect_stale((vms_handle){ 2 });
	expect_stale((vms_handle){ UINT64_MAX });
}

/* --- moving ----------------------------------------------------------------------- */

static void a_handle_follows_its_memory(void **state)
{
	vms_handle handle;
	char *moved;

	(void)state;
	map_pages(16, 8)[0] = 9;
	handle = hold(16, 8);
	assert_ptr_equal(vms_mremap(space, at(16), bytes(8), bytes(8),
				    MREMAP_MAYMOVE | MREMAP_FIXED, at(64)),
			 at(64));
	expect_place(handle, at(64), 8);
	assert_int_equal(*(char *)vms_handle_at(space, handle, 0, 1), 9);
	map_as(72, 1, PROT_READ, ANONYMOUS);
	moved = vms_mremap(space, at(64), bytes(8), bytes(20), MREMAP_MAYMOVE,
			   NULL);
	assert_true(moved != MAP_FAILED && moved != at(64));
	expect_place(handle, moved, 20);
}

static void a_handle_inside_a_mapping_moves_along(void **state)
{
	vms_handle handle;

	(void)state;
	map_pages(16, 8);
	handle = hold(18, 3);
	assert_ptr_equal(vms_mremap(space, at(16), bytes(8), bytes(8),
				    MREMAP_MAYMOVE | MREMAP_FIXED, at(64)),
			 at(64));
	expect_place(handle, at(66), 3);
}

static void a_handle_keeps_what_is_before_a_part_that_goes(void **state)
{
	vms_handle handle;

	(void)state;
	map_pages(16, 8);
	handle = hold(16, 8);
	assert_int_equal(vms_munmap(space, at(20), bytes(2)), 0);
	expect_place(handle, at(16), 4);
	assert_ptr_equal(vms_mremap(space, at(18), bytes(2), bytes(2),
				    MREMAP_MAYMOVE | MREMAP_FIXED, at(64)),
			 at(64));
	expect_place(handle, at(16), 2);
	assert_int_equal(vms_munmap(space, at(16), bytes(1)), 0);
	expect_stale(handle);
}

static void a_handle_whose_first_page_moves_goes_with_it(void **state)
{
	vms_handle handle;

	(void)state;
	map_pages(16, 8);
	handle = hold(16, 8);
	assert_ptr_equal(vms_mremap(space, at(16), bytes(3), bytes(3),
				    MREMAP_MAYMOVE | MREMAP_FIXED, at(64)),
			 at(64));
	expect_place(handle, at(64), 3);
}

static void memory_that_is_replaced_takes_its_handles(void **state)
{
	vms_handle target, head;

	(void)state;
	map_pages(16, 8);
	head = hold(16, 4);
	target = hold(20, 4);
	map_pages(18, 3);
	expect_place(head, at(16), 2);
	expect_stale(target);
	assert_int_equal(vms_munmap(space, at(0), bytes(64)), 0);
	expect_stale(head);
}

static void a_handle_grows_and_shrinks_with_its_range(void **state)
{
	vms_handle handle;

	(void)state;
	map_pages(16, 4);
	handle = hold(16, 4);
	assert_ptr_equal(vms_mremap(space, at(16), bytes(4), bytes(9), 0, NULL),
			 at(16));
	expect_place(handle, at(16), 9);
	assert_ptr_equal(vms_mremap(space, at(16), bytes(9), bytes(3), 0, NULL),
			 at(16));
	expect_place(handle, at(16), 3);
	/* Growing memory beside the handle's does not change the handle. */
	map_pages(32, 4);
	handle = hold(32, 2);
	assert_ptr_equal(vms_mremap(space, at(32), bytes(4), bytes(6), 0, NULL),
			 at(32));
	expect_place(handle, at(32), 2);
}

static void a_kept_source_gives_its_handle_away(void **state)
{
	vms_handle handle;
	char *moved;

	(void)state;
	map_pages(16, 4)[0] = 5;
	handle = hold(16, 4);
	moved = vms_mremap(space, at(16), bytes(4), bytes(4),
			   MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
	assert_true(moved != MAP_FAILED);
	expect_place(handle, moved, 4);
	assert_int_equal(*(char *)vms_handle_address(space, handle), 5);
}

/* --- resizing ---------------------------------------------------------------------- */

static void a_handle_can_be_resized(void **state)
{
	vms_handle handle;

	(void)state;
	map_pages(16, 4)[3] = 7;
	handle = hold(16, 4);
	assert_int_equal(vms_handle_resize(space, handle, bytes(8)), 0);
	expect_place(handle, at(16), 8);
	assert_int_equal(vms_handle_resize(space, handle, bytes(1) + 1), 0);
	expect_place(handle, at(16), 2);
	map_as(18, 1, PROT_READ, ANONYMOUS);
	assert_int_equal(vms_handle_resize(space, handle, bytes(600)), 0);
	assert_ptr_not_equal(vms_handle_address(space, handle), at(16));
	assert_int_equal(vms_handle_length(space, handle), bytes(600));
	assert_int_equal(*(char *)vms_handle_at(space, handle, 3, 1), 7);
}

static void a_refused_resize_changes_nothing(void **state)
{
	vms_handle handle;

	(void)state;
	map_pages(16, 4);
	handle = hold(16, 4);
	assert_fails(vms_handle_resize(space, handle, 0), EINVAL);
	assert_fails(vms_handle_resize(space, handle, bytes(SPACE_PAGES + 1)),
		     ENOMEM);
	assert_fails(vms_handle_resize(space, handle, SIZE_MAX), EINVAL);
	expect_place(handle, at(16), 4);
}

static void thousands_of_handles_are_told_apart(void **state)
{
	static vms_handle handles[SPACE_PAGES / 2];

	(void)state;
	map_pages(0, SPACE_PAGES / 2);
	for (size_t i = 0; i < SPACE_PAGES / 2; i++)
		handles[i] = hold(i, 1);
	for (size_t i = 0; i < SPACE_PAGES / 2; i += 3)
		assert_int_equal(vms_handle_close(space, handles[i]), 0);
	assert_ptr_equal(vms_mremap(space, at(0), bytes(SPACE_PAGES / 2),
				    bytes(SPACE_PAGES / 2),
				    MREMAP_MAYMOVE | MREMAP_FIXED,
				    at(SPACE_PAGES / 2)), at(SPACE_PAGES / 2));
	for (size_t i = 0; i < SPACE_PAGES / 2; i++) {
		if (i % 3 == 0)
			expect_stale(handles[i]);
		else
			expect_place(handles[i], at(SPACE_PAGES / 2 + i), 1);
	}
	for (size_t i = 0; i < SPACE_PAGES / 2; i += 3)
		expect_place(hold(SPACE_PAGES / 2 + i, 1),
			     at(SPACE_PAGES / 2 + i), 1);
}

#ifdef VMSI_DEBUG

/* A stale pointer must fault, and not read another mapping's data. */
static void a_place_that_was_left_is_not_used_again_at_once(void **state)
{
	char *next;

	(void)state;
	/* The hole that the move leaves fits the next mapping best. */
	map_pages(16, 4);
	map_as(0, 16, PROT_READ, ANONYMOUS);
	map_as(20, 16, PROT_READ, ANONYMOUS);
	assert_ptr_equal(vms_mremap(space, at(16), bytes(4), bytes(4),
				    MREMAP_MAYMOVE | MREMAP_FIXED, at(4096)),
			 at(4096));
	next = vms_mmap(space, NULL, bytes(4), RW, ANONYMOUS, -1, 0);
	assert_true(next != MAP_FAILED);
	assert_ptr_not_equal(next, at(16));
	/* A caller who asks for the address gets it. */
	map_pages(16, 4);
}

#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SPACE(a_handle_tells_its_range),
		WITH_SPACE(a_length_is_rounded_up),
		WITH_SPACE(offsets_must_be_inside),
		WITH_SPACE(a_handle_needs_mapped_memory),
		WITH_SPACE(ranges_of_handles_do_not_overlap),
		WITH_SPACE(a_closed_handle_is_stale_and_its_memory_stays),
		WITH_SPACE(handles_of_nothing_are_stale),
		WITH_SPACE(a_handle_follows_its_memory),
		WITH_SPACE(a_handle_inside_a_mapping_moves_along),
		WITH_SPACE(a_handle_keeps_what_is_before_a_part_that_goes),
		WITH_SPACE(a_handle_whose_first_page_moves_goes_with_it),
		WITH_SPACE(memory_that_is_replaced_takes_its_handles),
		WITH_SPACE(a_handle_grows_and_shrinks_with_its_range),
		WITH_SPACE(a_kept_source_gives_its_handle_away),
		WITH_SPACE(a_handle_can_be_resized),
		WITH_SPACE(a_refused_resize_changes_nothing),
		WITH_SPACE(thousands_of_handles_are_told_apart),
#ifdef VMSI_DEBUG
		WITH_SPACE(a_place_that_was_left_is_not_used_again_at_once),
#endif
	};

	return cmocka_run_group_tests_name("space_handle", tests, NULL, NULL);
}
