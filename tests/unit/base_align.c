/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/align.h"

static void rounding_goes_to_the_nearest_multiple(void **state)
{
	(void)state;
	for (uintptr_t alignment = 1; alignment <= 64; alignment *= 2) {
		for (uintptr_t value = 0; value < 300; value++) {
			uintptr_t down = value / alignment * alignment;
			uintptr_t up = down == value ? value : down + alignment;
			uintptr_t checked;

			assert_int_equal(vmsi_align_down(value, alignment), down);
			assert_int_equal(vmsi_align_up(value, alignment), up);
			assert_true(vmsi_align_up_checked(value, alignment, &checked));
			assert_int_equal(checked, up);
			assert_int_equal(vmsi_is_aligned(value, alignment),
					 value == down);
		}
	}
}

static void rounding_up_at_the_top_wraps_or_is_refused(void **state)
{
	const uintptr_t last = UINTPTR_MAX - 4095;
	uintptr_t result;

	(void)state;
	assert_true(vmsi_align_up_checked(last, 4096, &result));
	assert_int_equal(result, last);
	assert_false(vmsi_align_up_checked(last + 1, 4096, &result));
	assert_false(vmsi_align_up_checked(UINTPTR_MAX, 4096, &result));
	assert_true(vmsi_align_up_checked(UINTPTR_MAX, 1, &result));
	assert_int_equal(result, UINTPTR_MAX);
	assert_int_equal(vmsi_align_up(last, 4096), last);
	assert_int_equal(vmsi_align_up(last + 1, 4096), 0);
}

static void sums_and_products_that_overflow_are_refused(void **state)
{
	uintptr_t sum;
	size_t product;

	(void)state;
	assert_true(vmsi_add(UINTPTR_MAX - 1, 1, &sum));
	assert_int_equal(sum, UINTPTR_MAX);
	assert_false(vmsi_add(UINTPTR_MAX, 1, &sum));
	assert_true(vmsi_multiply(SIZE_MAX / 2, 2, &product));
	assert_int_equal(product, SIZE_MAX - 1);
	assert_false(vmsi_multiply(SIZE_MAX / 2 + 1, 2, &product));
	assert_true(vmsi_multiply(SIZE_MAX, 0, &product));
	assert_int_equal(product, 0);
	assert_int_equal(vmsi_add_saturating(2, 3), 5);
	assert_true(vmsi_add_saturating(SIZE_MAX, 0) == SIZE_MAX);
	assert_true(vmsi_add_saturating(SIZE_MAX - 1, 2) == SIZE_MAX);
}

static void the_lesser_and_the_greater_are_found(void **state)
{
	(void)state;
	assert_int_equal(vmsi_min(3, 4), 3);
	assert_int_equal(vmsi_min(4, 3), 3);
	assert_int_equal(vmsi_max(3, 4), 4);
	assert_int_equal(vmsi_max(UINTPTR_MAX, 0), UINTPTR_MAX);
}

/* Compare each pair of ranges of a small line byte by byte. */
static void ranges_overlap_where_they_share_a_byte(void **state)
{
	(void)state;
	for (unsigned code = 0; code < 8 * 8 * 8 * 8; code++) {
		struct vmsi_range a = { code % 8, code / 8 % 8 };
		struct vmsi_range b = { code / 64 % 8, code / 512 };
		size_t shared = 0;

		if (a.start >= a.end || b.start >= b.end)
			continue;
		for (uintptr_t byte = 0; byte < 8; byte++)
			shared += byte >= a.start && byte < a.end &&
				byte >= b.start && byte < b.end;

		struct vmsi_range common = vmsi_range_common(a, b);

		assert_int_equal(vmsi_range_overlaps(a, b), shared != 0);
		assert_int_equal(vmsi_range_length(common), shared);
		if (shared) {
			assert_true(common.start >= a.start && common.start >= b.start);
			assert_true(common.end <= a.end && common.end <= b.end);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rounding_goes_to_the_nearest_multiple),
		cmocka_unit_test(rounding_up_at_the_top_wraps_or_is_refused),
		cmocka_unit_test(sums_and_products_that_overflow_are_refused),
		cmocka_unit_test(the_lesser_and_the_greater_are_found),
		cmocka_unit_test(ranges_overlap_where_they_share_a_byte),
	};

	return cmocka_run_group_tests_name("base_align", tests, NULL, NULL);
}
