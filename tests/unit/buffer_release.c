/* SPDX-License-Identifier: MIT */
#include "buffer_fixture.h"

/* Buffers with a maximum: giving memory back, freeing, detaching. */

static void shrink_gives_memory_and_commit_back(void **state)
{
	char *first;

	(void)state;
	make(20 * huge());
	first = buffer.data;
	append_up_to(6 * huge());
	assert_int_equal(vms_buffer_truncate(&buffer, huge() + 5), 0);
	assert_int_equal(vms_buffer_shrink(&buffer), 0);
	assert_int_equal(space_stats().committed, huge() + page());
	assert_int_equal(buffer.committed, huge() + page());
	assert_true(resident(0, 6 * huge()) <= huge() + page());
	assert_pattern(0, huge() + 5);

	assert_int_equal(vms_buffer_resize(&buffer, 6 * huge()), 0);
	assert_ptr_equal(buffer.data, first);
	assert_pattern(0, huge() + 5);
	assert_zero(huge() + 5, 6 * huge());
}

static void shrink_to_nothing_and_grow_again(void **state)
{
	char *first;

	(void)state;
	make(20 * huge());
	first = buffer.data;
	append_up_to(3 * huge());
	vms_buffer_clear(&buffer);
	assert_int_equal(vms_buffer_shrink(&buffer), 0);
	assert_int_equal(space_stats().committed, 0);
	assert_int_equal(resident(0, 3 * huge()), 0);
	/* A second call finds nothing to give back. */
	assert_int_equal(vms_buffer_shrink(&buffer), 0);
	append_up_to(3 * huge());
	assert_ptr_equal(buffer.data, first);
	assert_pattern(0, 3 * huge());
}

/* The kernel's own accounting lets the memory go as well: RLIMIT_DATA shows it. */
static void the_host_is_uncharged(void **state)
{
	static struct vms_mapping_info info;
	vms_process_maps *maps;
	size_t charged = 0;

	(void)state;
	make(8 * huge());
	append_up_to(3 * huge());
	assert_int_equal(vms_buffer_truncate(&buffer, page()), 0);
	assert_int_equal(vms_buffer_shrink(&buffer), 0);
	info.struct_size = sizeof(info);
	maps = vms_process_maps_open(0);
	assert_non_null(maps);
	while (vms_process_maps_next(maps, &info) == 1)
		if (vms_space_contains(space, (void *)info.start, 1))
			charged += info.committed;
	vms_process_maps_close(maps);
	assert_int_equal(charged, page());
}

static void locked_memory_is_not_given_back(void **state)
{
	(void)state;
	make(8 * huge());
	append_up_to(3 * page());
	if (vms_mlock(space, buffer.data, page()) != 0) {
		print_message("# no memory may be locked\n");
		skip();
	}
	vms_buffer_clear(&buffer);
	assert_refused(vms_buffer_shrink(&buffer) == -1, EINVAL);
	assert_int_equal(vms_munlock(space, buffer.data, page()), 0);
	assert_int_equal(vms_buffer_shrink(&buffer), 0);
}

static void a_freed_buffer_leaves_nothing(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		make(8 * huge());
		append_up_to(3 * huge());
		assert_int_equal(vms_buffer_free(&buffer), 0);
		assert_null(buffer.data);
		assert_int_equal(space_stats().mapped, 0);
		assert_int_equal(space_stats().committed, 0);
	}
	assert_int_equal(vms_buffer_free(&buffer), 0);
}

static void what_is_detached_is_a_mapping_of_its_own(void **state)
{
	struct vms_detached detached;
	char *first;

	(void)state;
	make(8 * huge());
	first = buffer.data;
	append_up_to(3 * page() + 1);
	assert_int_equal(vms_buffer_detach(&buffer, &detached), 0);
	assert_null(buffer.data);
	assert_ptr_equal(detached.address, first);
	assert_int_equal(detached.size, 3 * page() + 1);
	assert_int_equal(detached.length, 4 * page());
	assert_ptr_equal(detached.space, space);
	assert_int_equal(space_stats().mapped, 4 * page());
	assert_int_equal(space_stats().committed, 4 * page());
	for (size_t i = 0; i < detached.size; i++)
		assert_int_equal(first[i], pattern(i));
	first[4 * page() - 1] = 1;
	assert_int_equal(vms_detached_free(&detached), 0);
	assert_null(detached.address);
	assert_int_equal(space_stats().mapped, 0);
	assert_int_equal(vms_detached_free(&detached), 0);
	assert_int_equal(vms_detached_free(NULL), 0);
}

static void munmap_frees_what_was_detached(void **state)
{
	struct vms_detached detached;

	(void)state;
	make(0);
	append_up_to(5 * huge());
	assert_int_equal(vms_buffer_detach(&buffer, &detached), 0);
	assert_int_equal(detached.length, 5 * huge());
	assert_int_equal(vms_munmap(detached.space, detached.address,
				    detached.length), 0);
	assert_int_equal(space_stats().mapped, 0);
}

static void of_an_empty_buffer_nothing_is_detached(void **state)
{
	for (size_t maximum = 0; maximum <= 8 * huge(); maximum += 8 * huge()) {
		struct vms_detached detached = { .length = 5 };

		(void)state;
		make(maximum);
		assert_int_equal(vms_buffer_detach(&buffer, &detached), 0);
		assert_null(detached.address);
		assert_int_equal(detached.length, 0);
		assert_int_equal(space_stats().mapped, 0);
		assert_int_equal(vms_detached_free(&detached), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SPACE(shrink_gives_memory_and_commit_back),
		WITH_SPACE(shrink_to_nothing_and_grow_again),
		WITH_SPACE(the_host_is_uncharged),
		WITH_SPACE(locked_memory_is_not_given_back),
		WITH_SPACE(a_freed_buffer_leaves_nothing),
		WITH_SPACE(what_is_detached_is_a_mapping_of_its_own),
		WITH_SPACE(munmap_frees_what_was_detached),
		WITH_SPACE(of_an_empty_buffer_nothing_is_detached),
	};

	return cmocka_run_group_tests_name("buffer_release", tests, NULL, NULL);
}
