/* SPDX-License-Identifier: MIT */
#include "buffer_fixture.h"

/* Typed arrays on buffers. */

struct point {
	double x, y;
	int label;
};

VMS_VEC_DECLARE(points, struct point);
VMS_VEC_DECLARE(numbers, uint64_t);

static numbers vec;

static int make_vec(void **state)
{
	const struct vms_buffer_options options = {
		.struct_size = sizeof(options),
		.space = (open_space(state), space),
	};

	return numbers_init(&vec, 8 * huge() / 8, &options);
}

static int free_vec(void **state)
{
	return numbers_free(&vec) == 0 ? close_space(state) : -1;
}

static uint64_t number_at(size_t i)
{
	const uint64_t *place = numbers_at(&vec, i);

	return place ? *place : UINT64_MAX;
}

#define WITH_VEC(test) \
	cmocka_unit_test_setup_teardown(test, make_vec, free_vec)

static void push_at_pop(void **state)
{
	uint64_t value = 5;

	(void)state;
	assert_false(numbers_pop(&vec, &value));
	for (uint64_t i = 0; i < 1000000; i++)
		assert_int_equal(numbers_push(&vec, i * i), 0);
	assert_int_equal(numbers_size(&vec), 1000000);
	for (size_t i = 0; i < 1000000; i += 999)
		assert_int_equal(number_at(i), i * i);
	assert_ptr_equal(numbers_data(&vec), numbers_at(&vec, 0));
	assert_true(numbers_pop(&vec, &value));
	assert_int_equal(value, (uint64_t)999999 * 999999);
	assert_true(numbers_pop(&vec, NULL));
	assert_int_equal(numbers_size(&vec), 999998);
	errno = 0;
	assert_null(numbers_at(&vec, 999998));
	assert_int_equal(errno, ERANGE);
	assert_null(numbers_at(&vec, SIZE_MAX / 4));
}

static void append_extend_resize(void **state)
{
	static const uint64_t some[] = { 1, 2, 3 };
	uint64_t *place;

	(void)state;
	assert_int_equal(numbers_append(&vec, some, 3), 0);
	assert_int_equal(numbers_append(&vec, numbers_data(&vec), 3), 0);
	place = numbers_extend(&vec, 2);
	assert_ptr_equal(place, numbers_data(&vec) + 6);
	if (place)
		place[0] = place[1] = 4;
	assert_int_equal(numbers_resize(&vec, 10), 0);
	assert_int_equal(number_at(5), 3);
	assert_int_equal(number_at(7), 4);
	assert_int_equal(number_at(8), 0);
	assert_int_equal(numbers_truncate(&vec, 4), 0);
	assert_int_equal(numbers_truncate(&vec, 5), -1);
	assert_int_equal(numbers_resize(&vec, 8), 0);
	assert_int_equal(number_at(3), 1);
	assert_int_equal(number_at(7), 0);
	numbers_clear(&vec);
	assert_int_equal(numbers_size(&vec), 0);
	assert_int_equal(numbers_shrink(&vec), 0);
	assert_int_equal(space_stats().committed, 0);
}

/* The bytes of this count wrap round to a small number. */
static void counts_that_overflow_are_refused(void **state)
{
	/* Without volatile the compiler refuses to build the call. */
	const volatile size_t wraps = SIZE_MAX / 8 + 2;
	uint64_t value = 1;
	points unused = { 0 };

	(void)state;
	assert_int_equal(numbers_push(&vec, 7), 0);
	errno = 0;
	assert_null(numbers_extend(&vec, wraps));
	assert_int_equal(errno, ENOMEM);
	assert_int_equal(numbers_resize(&vec, wraps), -1);
	assert_int_equal(errno, ENOMEM);
	assert_int_equal(numbers_reserve(&vec, wraps), -1);
	assert_int_equal(numbers_append(&vec, &value, wraps), -1);
	assert_int_equal(numbers_truncate(&vec, wraps), -1);
	assert_int_equal(points_init(&unused, SIZE_MAX / sizeof(struct point) + 1,
				     NULL), -1);
	assert_int_equal(errno, ENOMEM);
	assert_int_equal(numbers_size(&vec), 1);
	assert_int_equal(number_at(0), 7);
}

static void it_ends_at_its_maximum(void **state)
{
	const struct vms_buffer_options options = {
		.struct_size = sizeof(options),
		.space = space,
	};
	const struct point corner = { 1, 2, 3 };
	points few;

	(void)state;
	assert_int_equal(points_init(&few, 1001, &options), 0);
	assert_int_equal(points_reserve(&few, 1001), 0);
	for (int i = 0; i < 1001; i++)
		assert_int_equal(points_push(&few, corner), 0);
	errno = 0;
	assert_int_equal(points_push(&few, corner), -1);
	assert_int_equal(errno, ENOMEM);
	assert_int_equal(points_size(&few), 1001);
	assert_int_equal(points_data(&few)[1000].label, 3);
	assert_int_equal(points_free(&few), 0);
}

/* The library exports the inline calls as functions, for other languages. */
static void the_inline_calls_are_functions_too(void **state)
{
	int (*volatile append)(vms_buffer *, const void *, size_t) =
		vms_buffer_append;
	void *(*volatile extend)(vms_buffer *, size_t, size_t) =
		vms_vec_extend;

	(void)state;
	assert_int_equal(append(&vec.buffer, "12345678", 8), 0);
	assert_ptr_equal(extend(&vec.buffer, 1, 8), numbers_data(&vec) + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_VEC(push_at_pop),
		WITH_VEC(append_extend_resize),
		WITH_VEC(counts_that_overflow_are_refused),
		WITH_VEC(it_ends_at_its_maximum),
		WITH_VEC(the_inline_calls_are_functions_too),
	};

	return cmocka_run_group_tests_name("vec_basic", tests, NULL, NULL);
}
