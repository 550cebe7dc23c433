/* SPDX-License-Identifier: MIT */
#include "buffer_fixture.h"

/* Buffers with a maximum: how they grow, and what stops them. */

static void a_new_buffer_costs_addresses_only(void **state)
{
	(void)state;
	make(20 * huge());
	assert_non_null(buffer.data);
	assert_int_equal(buffer.size, 0);
	assert_int_equal(space_stats().committed, 0);
	assert_true(space_stats().mapped > 20 * huge());
	assert_int_equal(resident(0, 20 * huge()), 0);
	assert_true(vmsi_is_aligned((uintptr_t)buffer.data, huge()));
}

static void what_is_appended_stays_where_it_is(void **state)
{
	char *first;

	(void)state;
	make(20 * huge());
	first = buffer.data;
	append_up_to(6 * huge() + 123);
	assert_ptr_equal(buffer.data, first);
	assert_pattern(0, buffer.size);
	assert_int_equal(space_stats().committed, buffer.committed);
	assert_true(buffer.committed < 9 * huge());
}

static void it_ends_at_its_maximum(void **state)
{
	const size_t maximum = huge() + 5 * page() + 77;

	(void)state;
	make(maximum);
	append_up_to(maximum);
	assert_refused(vms_buffer_append(&buffer, "x", 1) == -1, ENOMEM);
	assert_int_equal(vms_last_refusal(), VMS_REFUSAL_ADDRESSES);
	assert_refused(!vms_buffer_extend(&buffer, SIZE_MAX), ENOMEM);
	assert_refused(!vms_buffer_extend(&buffer, SIZE_MAX / 2), ENOMEM);
	assert_refused(vms_buffer_resize(&buffer, maximum + 1) == -1, ENOMEM);
	assert_refused(vms_buffer_reserve(&buffer, SIZE_MAX) == -1, ENOMEM);
	assert_pattern(0, maximum);
}

static void a_small_one_takes_no_huge_page(void **state)
{
	(void)state;
	make(3 * page());
	assert_int_equal(space_stats().mapped, 4 * page());
	append_up_to(3 * page());
	assert_int_equal(space_stats().committed, 3 * page());
	assert_refused(!vms_buffer_extend(&buffer, 1), ENOMEM);
}

static void its_own_bytes_can_be_appended(void **state)
{
	(void)state;
	make(8 * huge());
	append_up_to(1000);
	while (buffer.size < 3 * huge())
		assert_int_equal(vms_buffer_append(&buffer, buffer.data,
						   buffer.size), 0);
	for (size_t i = 0; i < buffer.size; i++)
		if (buffer.data[i] != pattern(i % 1000))
			fail_msg("byte %zu is wrong", i);
}

static void extend_gives_the_new_bytes(void **state)
{
	char *place;

	(void)state;
	make(8 * huge());
	place = vms_buffer_extend(&buffer, 100);
	assert_ptr_equal(place, buffer.data);
	place = vms_buffer_extend(&buffer, 3 * huge());
	assert_ptr_equal(place, buffer.data + 100);
	fill(place, 100, 3 * huge());
	assert_ptr_equal(vms_buffer_extend(&buffer, 0),
			 buffer.data + 100 + 3 * huge());
	assert_int_equal(vms_buffer_append(&buffer, NULL, 0), 0);
	assert_int_equal(buffer.size, 100 + 3 * huge());
	assert_pattern(100, buffer.size);
}

static void what_resize_adds_is_zero(void **state)
{
	(void)state;
	make(8 * huge());
	append_up_to(3 * page() + 10);
	assert_int_equal(vms_buffer_resize(&buffer, 10), 0);
	assert_int_equal(vms_buffer_resize(&buffer, 2 * page()), 0);
	assert_zero(10, 2 * page());
	assert_int_equal(vms_buffer_resize(&buffer, 5 * page()), 0);
	assert_zero(10, 5 * page());
	assert_pattern(0, 10);

	/* Bytes written between two truncations are cleared as well. */
	append_up_to(6 * page());
	assert_int_equal(vms_buffer_truncate(&buffer, 5 * page() + 1), 0);
	append_up_to(7 * page());
	vms_buffer_clear(&buffer);
	assert_int_equal(vms_buffer_resize(&buffer, 3 * huge()), 0);
	assert_zero(0, 3 * huge());
}

static void resize_touches_nothing_that_is_new(void **state)
{
	(void)state;
	make(32 * huge());
	assert_int_equal(vms_buffer_resize(&buffer, 30 * huge()), 0);
	assert_int_equal(resident(0, 30 * huge()), 0);
	assert_true(space_stats().committed >= 30 * huge());
}

static void what_is_cut_off_stays_committed(void **state)
{
	(void)state;
	make(8 * huge());
	append_up_to(5 * huge());
	assert_refused(vms_buffer_truncate(&buffer, 5 * huge() + 1) == -1,
		       EINVAL);
	assert_int_equal(vms_buffer_truncate(&buffer, 10), 0);
	assert_int_equal(buffer.size, 10);
	vms_buffer_clear(&buffer);
	assert_int_equal(buffer.size, 0);
	assert_true(space_stats().committed >= 5 * huge());
}

static void set_limit(size_t limit)
{
	assert_int_equal(vms_space_set_commit(space, limit,
					      VMS_COMMIT_STRICT), 0);
}

static void what_is_reserved_cannot_be_refused(void **state)
{
	(void)state;
	make(20 * huge());
	append_up_to(10);
	assert_int_equal(vms_buffer_reserve(&buffer, 4 * huge()), 0);
	assert_int_equal(buffer.size, 10);
	assert_true(buffer.committed >= 4 * huge());
	set_limit(buffer.committed);
	append_up_to(4 * huge());
	append_up_to(buffer.committed);
	assert_refused(!vms_buffer_extend(&buffer, 1), ENOMEM);
	assert_int_equal(vms_last_refusal(), VMS_REFUSAL_COMMIT);
	assert_pattern(0, buffer.size);
	/* vms_buffer_reserve does nothing for less than is committed. */
	assert_int_equal(vms_buffer_reserve(&buffer, 1), 0);
}

static void what_is_needed_is_had_where_more_is_refused(void **state)
{
	(void)state;
	make(20 * huge());
	set_limit(3 * page());
	append_up_to(2 * page() + 1);
	assert_int_equal(space_stats().committed, 3 * page());
	append_up_to(3 * page());
	assert_refused(!vms_buffer_extend(&buffer, 1), ENOMEM);
	assert_refused(vms_buffer_resize(&buffer, 4 * page()) == -1, ENOMEM);
	set_limit(5 * page());
	append_up_to(5 * page());
	assert_pattern(0, buffer.size);
}

/* Check the advice of each mapping of the buffer, as the space lists it. */
static void assert_advised(unsigned wanted)
{
	static struct vms_mapping_info info;
	uintptr_t cursor = 0;

	info.struct_size = sizeof(info);
	while (vms_space_next_mapping(space, &cursor, &info, 0) == 1)
		assert_int_equal(info.flags & (VMS_MAPPING_HUGEPAGE |
					       VMS_MAPPING_NOHUGEPAGE), wanted);
}

static void all_of_it_is_advised_once(void **state)
{
	const unsigned usual = vmsi_growth_has_huge_pages() ?
		VMS_MAPPING_HUGEPAGE : VMS_MAPPING_NOHUGEPAGE;

	(void)state;
	make(20 * huge());
	append_up_to(5 * huge());
	assert_advised(usual);
	assert_int_equal(vms_buffer_truncate(&buffer, huge() + 5), 0);
	assert_int_equal(vms_buffer_shrink(&buffer), 0);
	assert_advised(usual);
	append_up_to(6 * huge());
	assert_advised(usual);
	/* One mapping is the committed part, the other is the reserved rest. */
	assert_int_equal(space_stats().mappings, 2);
	assert_int_equal(vms_buffer_free(&buffer), 0);
	make_with(20 * huge(), VMS_BUFFER_SMALL_PAGES);
	append_up_to(3 * huge());
	assert_advised(VMS_MAPPING_NOHUGEPAGE);
}

/* MADV_POPULATE_WRITE is there from Linux 5.14 on. */
static bool host_populates(void)
{
	return vmsi_host.madvise(0, 0, 23) == 0;
}

static void small_pages_are_brought_in_ahead(void **state)
{
	(void)state;
	if (!host_populates()) {
		print_message("# no MADV_POPULATE_WRITE\n");
		skip();
	}
	make_with(20 * huge(), VMS_BUFFER_SMALL_PAGES);
	append_up_to(1);
	assert_int_equal(resident(0, buffer.committed), page());
	append_up_to(4 << 20);
	assert_pattern(0, buffer.size);
	assert_true(resident(0, buffer.committed) <= (4 << 20) + (1 << 20));
	/* The buffer populates only the beginning of what it commits far ahead. */
	assert_non_null(vms_buffer_extend(&buffer, 32 << 20));
	assert_true(resident(0, buffer.committed) <= 8 << 20);
	assert_zero(buffer.size - 10, buffer.size);
}

/* --- the calls of growth --------------------------------------------------------- */

static struct vmsi_host_calls real;
static size_t populated;
static unsigned populates, commits;

static long count_madvise(uintptr_t start, size_t length, int advice)
{
	if (advice == 23) {
		populated += length;
		populates++;
	}
	return real.madvise(start, length, advice);
}

static long count_mprotect(uintptr_t start, size_t length, int prot)
{
	commits++;
	return real.mprotect(start, length, prot);
}

/*
 * Before its first huge page, a buffer populates memory by one call for each
 * doubling, in place of a fault for each page.
 */
static void the_small_beginning_costs_few_calls(void **state)
{
	(void)state;
	if (!host_populates()) {
		print_message("# no MADV_POPULATE_WRITE\n");
		skip();
	}
	make(20 * huge());
	populated = populates = commits = 0;
	real = vmsi_host;
	vmsi_host.madvise = count_madvise;
	vmsi_host.mprotect = count_mprotect;
	append_up_to(2 << 20);
	vmsi_host = real;
	print_message("# %u populate %zu KiB, %u commit\n", populates,
		      populated >> 10, commits);
	assert_true(populated + 8 * page() >= 2 << 20);
	assert_in_range(populates, 1, 16);
	assert_in_range(commits, 1, 8);
	assert_pattern(0, buffer.size);
}

/* A small buffer has at most twice its size in memory. */
static void a_small_one_holds_little(void **state)
{
	const size_t sizes[] = { 1, page(), 3 * page(), 20 * page() };

	(void)state;
	make(20 * huge());
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		append_up_to(sizes[i]);
		assert_in_range(resident(0, buffer.committed), page(),
				2 * sizes[i] + page());
	}
}

static void a_success_leaves_errno(void **state)
{
	(void)state;
	errno = ERRNO_BEFORE;
	make(20 * huge());
	set_limit(3 * page());
	assert_int_equal(vms_buffer_append(&buffer, "abc", 3), 0);
	assert_non_null(vms_buffer_extend(&buffer, page()));
	assert_int_equal(vms_buffer_resize(&buffer, 2 * page()), 0);
	assert_int_equal(vms_buffer_reserve(&buffer, 3 * page()), 0);
	assert_int_equal(vms_buffer_truncate(&buffer, 1), 0);
	assert_int_equal(vms_buffer_shrink(&buffer), 0);
	assert_int_equal(vms_buffer_free(&buffer), 0);
	assert_int_equal(errno, ERRNO_BEFORE);
}

static void init_refuses(size_t maximum, const struct vms_buffer_options *options,
			 int wanted)
{
	vms_buffer untouched = { .size = 5 };

	errno = 0;
	assert_int_equal(vms_buffer_init(&untouched, maximum, options), -1);
	assert_int_equal(errno, wanted);
	assert_int_equal(untouched.size, 5);
}

static void arguments_are_checked(void **state)
{
	struct vms_buffer_options options = { .struct_size = 1 };
	struct vms_buffer_stats stats = { .struct_size = 1 };

	(void)state;
	init_refuses(1, &options, EINVAL);
	options.struct_size = sizeof(options);
	options.flags = 0x2;
	init_refuses(1, &options, EINVAL);
	options.flags = 0;
	options.space = space;
	init_refuses(SIZE_MAX, &options, ENOMEM);
	init_refuses(SPACE_HUGE_PAGES * huge(), &options, ENOMEM);
	assert_int_equal(vms_last_refusal(), VMS_REFUSAL_ADDRESSES);
	assert_int_equal(vms_buffer_init(NULL, 1, NULL), -1);
	assert_int_equal(errno, EINVAL);
	assert_refused(vms_buffer_get_stats(&buffer, &stats) == -1, EINVAL);
	assert_refused(vms_buffer_get_stats(&buffer, NULL) == -1, EINVAL);
}

static void a_buffer_of_zeroes_is_refused(void **state)
{
	struct vms_detached detached;

	(void)state;
	assert_refused(vms_buffer_append(&buffer, "x", 1) == -1, EINVAL);
	assert_refused(!vms_buffer_extend(&buffer, 1), EINVAL);
	assert_refused(vms_buffer_resize(&buffer, 0) == -1, EINVAL);
	assert_refused(vms_buffer_reserve(&buffer, 0) == -1, EINVAL);
	assert_refused(vms_buffer_shrink(&buffer) == -1, EINVAL);
	assert_refused(vms_buffer_detach(&buffer, &detached) == -1, EINVAL);
	assert_refused(!vms_buffer_at(&buffer, 0), ERANGE);
	assert_int_equal(vms_buffer_free(&buffer), 0);
	assert_int_equal(vms_buffer_free(NULL), 0);
}

static void the_figures_are_told(void **state)
{
	struct vms_buffer_stats stats = { .struct_size = sizeof(stats) };

	(void)state;
	make(8 * huge() - 1);
	append_up_to(10);
	assert_int_equal(vms_buffer_get_stats(&buffer, &stats), 0);
	assert_int_equal(stats.size, 10);
	assert_int_equal(stats.committed, space_stats().committed);
	assert_int_equal(stats.reserved, space_stats().mapped);
	assert_int_equal(stats.maximum, 8 * huge() - 1);
	assert_int_equal(stats.moves, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SPACE(a_new_buffer_costs_addresses_only),
		WITH_SPACE(what_is_appended_stays_where_it_is),
		WITH_SPACE(it_ends_at_its_maximum),
		WITH_SPACE(a_small_one_takes_no_huge_page),
		WITH_SPACE(its_own_bytes_can_be_appended),
		WITH_SPACE(extend_gives_the_new_bytes),
		WITH_SPACE(what_resize_adds_is_zero),
		WITH_SPACE(resize_touches_nothing_that_is_new),
		WITH_SPACE(what_is_cut_off_stays_committed),
		WITH_SPACE(what_is_reserved_cannot_be_refused),
		WITH_SPACE(what_is_needed_is_had_where_more_is_refused),
		WITH_SPACE(all_of_it_is_advised_once),
		WITH_SPACE(small_pages_are_brought_in_ahead),
		WITH_SPACE(the_small_beginning_costs_few_calls),
		WITH_SPACE(a_small_one_holds_little),
		WITH_SPACE(a_success_leaves_errno),
		WITH_SPACE(arguments_are_checked),
		WITH_SPACE(a_buffer_of_zeroes_is_refused),
		WITH_SPACE(the_figures_are_told),
	};

	return cmocka_run_group_tests_name("buffer_grow", tests, NULL, NULL);
}
