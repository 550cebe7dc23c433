/* SPDX-License-Identifier: MIT */
#include "buffer_fixture.h"

/* Buffers without a maximum, which move. */

/* Map memory right behind the buffer, so that its growth must move it. */
static void *block_growth(void)
{
	void *behind = buffer.data + buffer.committed;

	assert_ptr_equal(vms_mmap(space, behind, page(), PROT_NONE,
				  MAP_PRIVATE | MAP_ANONYMOUS |
					  MAP_FIXED_NOREPLACE, -1, 0), behind);
	return behind;
}

static void an_empty_one_has_no_mapping(void **state)
{
	(void)state;
	make(0);
	assert_non_null(buffer.data);
	assert_int_equal(space_stats().mapped, 0);
	assert_int_equal(vms_buffer_append(&buffer, NULL, 0), 0);
	assert_non_null(vms_buffer_extend(&buffer, 0));
	assert_int_equal(vms_buffer_shrink(&buffer), 0);
	assert_int_equal(space_stats().mapped, 0);
}

static void it_grows_where_it_is_or_moves(void **state)
{
	(void)state;
	make(0);
	append_up_to(huge());
	for (int i = 1; i <= 3; i++) {
		char *old = buffer.data;
		void *behind = block_growth();

		append_up_to(buffer.committed + 1);
		assert_true(buffer.data != old);
		assert_int_equal(buffer.moves, i);
		/* At this alignment mremap moves page tables and no pages. */
		assert_int_equal((uintptr_t)buffer.data % huge(),
				 (uintptr_t)old % huge());
		assert_int_equal(vms_munmap(space, behind, page()), 0);
	}
	assert_pattern(0, buffer.size);
	assert_int_equal(space_stats().mapped, buffer.committed);
	append_up_to(8 * huge());
	assert_pattern(0, buffer.size);
	assert_true(buffer.committed <= 11 * huge());
}

static void its_own_bytes_move_while_they_are_appended(void **state)
{
	void *behind;

	(void)state;
	make(0);
	append_up_to(4 * page());
	append_up_to(buffer.committed);
	behind = block_growth();
	assert_int_equal(vms_buffer_append(&buffer, buffer.data + page(),
					   3 * page()), 0);
	assert_int_equal(buffer.moves, 1);
	assert_memory_equal(buffer.data + buffer.size - 3 * page(),
			    buffer.data + page(), 3 * page());
	assert_int_equal(vms_munmap(space, behind, page()), 0);
}

static void offsets_outlive_moves(void **state)
{
	void *behind;

	(void)state;
	make(0);
	assert_null(vms_buffer_at(&buffer, 0));
	append_up_to(1000);
	behind = block_growth();
	append_up_to(buffer.committed + 1);
	assert_ptr_equal(vms_buffer_at(&buffer, 777), buffer.data + 777);
	assert_pattern(777, 778);
	errno = 0;
	assert_null(vms_buffer_at(&buffer, buffer.size));
	assert_int_equal(errno, ERANGE);
	assert_int_equal(vms_munmap(space, behind, page()), 0);
}

static void what_resize_adds_is_zero(void **state)
{
	(void)state;
	make(0);
	append_up_to(3 * huge());
	assert_int_equal(vms_buffer_resize(&buffer, 10), 0);
	assert_int_equal(vms_buffer_resize(&buffer, 6 * huge()), 0);
	assert_pattern(0, 10);
	assert_zero(10, 6 * huge());
}

static void shrink_gives_addresses_back_too(void **state)
{
	(void)state;
	make(0);
	append_up_to(3 * huge());
	assert_int_equal(vms_buffer_truncate(&buffer, page() + 1), 0);
	assert_int_equal(vms_buffer_shrink(&buffer), 0);
	assert_int_equal(space_stats().mapped, 2 * page());
	assert_int_equal(space_stats().committed, 2 * page());
	assert_int_equal(vms_buffer_resize(&buffer, 3 * huge()), 0);
	assert_pattern(0, page() + 1);
	assert_zero(page() + 1, 3 * huge());

	vms_buffer_clear(&buffer);
	assert_int_equal(vms_buffer_shrink(&buffer), 0);
	assert_int_equal(space_stats().mapped, 0);
	append_up_to(2 * huge());
	assert_pattern(0, 2 * huge());
}

/* A small buffer takes one page, even if it may have huge pages later. */
static void many_small_ones_hold_a_page_each(void **state)
{
	static vms_buffer many[100];
	const struct vms_buffer_options options = {
		.struct_size = sizeof(options), .space = space,
	};

	(void)state;
	make(0);
	for (size_t i = 0; i < 100; i++) {
		assert_int_equal(vms_buffer_init(&many[i], i % 2 ? 40 * page() : 0,
						 &options), 0);
		assert_int_equal(vms_buffer_append(&many[i], "x", 1), 0);
	}
	assert_int_equal(space_stats().committed, 100 * page());
	for (size_t i = 0; i < 100; i++)
		assert_int_equal(vms_buffer_free(&many[i]), 0);
}

static void one_that_becomes_large_is_on_a_huge_page(void **state)
{
	(void)state;
	make(0);
	append_up_to(10);
	while (buffer.size < 3 * huge())
		append_up_to(buffer.size + 5 * page());
	assert_pattern(0, buffer.size);
	assert_true(vmsi_is_aligned((uintptr_t)buffer.data, huge()) ||
		    !vmsi_growth_has_huge_pages());
	assert_true(buffer.committed <= 6 * huge());
}

static void the_space_is_its_limit(void **state)
{
	(void)state;
	make(0);
	append_up_to(2 * huge());
	assert_refused(!vms_buffer_extend(&buffer, SPACE_HUGE_PAGES * huge()),
		       ENOMEM);
	assert_int_equal(vms_last_refusal(), VMS_REFUSAL_ADDRESSES);
	assert_refused(vms_buffer_reserve(&buffer, SIZE_MAX) == -1, ENOMEM);
	/* The first buffer may take all addresses of the space. */
	assert_int_equal(vms_buffer_resize(&buffer, SPACE_HUGE_PAGES * huge()),
			 0);
	assert_pattern(0, 2 * huge());
}

static void what_is_needed_is_had_where_more_is_refused(void **state)
{
	(void)state;
	make(0);
	assert_int_equal(vms_space_set_commit(space, 3 * page(),
					      VMS_COMMIT_STRICT), 0);
	append_up_to(page() + 1);
	append_up_to(3 * page());
	assert_int_equal(space_stats().committed, 3 * page());
	assert_refused(!vms_buffer_extend(&buffer, 1), ENOMEM);
	assert_int_equal(vms_last_refusal(), VMS_REFUSAL_COMMIT);
	assert_pattern(0, 3 * page());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SPACE(an_empty_one_has_no_mapping),
		WITH_SPACE(it_grows_where_it_is_or_moves),
		WITH_SPACE(its_own_bytes_move_while_they_are_appended),
		WITH_SPACE(offsets_outlive_moves),
		WITH_SPACE(what_resize_adds_is_zero),
		WITH_SPACE(shrink_gives_addresses_back_too),
		WITH_SPACE(many_small_ones_hold_a_page_each),
		WITH_SPACE(one_that_becomes_large_is_on_a_huge_page),
		WITH_SPACE(the_space_is_its_limit),
		WITH_SPACE(what_is_needed_is_had_where_more_is_refused),
	};

	return cmocka_run_group_tests_name("buffer_moving", tests, NULL, NULL);
}
