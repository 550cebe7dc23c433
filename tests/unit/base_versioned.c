/* SPDX-License-Identifier: MIT */
#include "base/versioned.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

/*
 * A program was built with an older or a newer version of a struct than the library.
 */

struct first {
	size_t struct_size;
	size_t a;
};

struct grown {
	size_t struct_size;
	size_t a, b;
};

#define FIRST VMSI_SIZE_UP_TO(struct grown, a)

static int take(struct grown *known, const void *options)
{
	return vmsi_take_options(known, sizeof(*known), FIRST, options);
}

static void the_first_size_is_that_of_the_first_struct(void **state)
{
	struct padded {
		size_t struct_size;
		char last;
	};

	(void)state;
	assert_int_equal(FIRST, sizeof(struct first));
	assert_int_equal(VMSI_SIZE_UP_TO(struct padded, last),
			 sizeof(struct padded));
}

static void older_options_have_defaults(void **state)
{
	/* The call must not write behind the end of the program's struct. */
	struct grown around = { sizeof(struct first), 7, 99 }, known;

	(void)state;
	memset(&known, 0xff, sizeof(known));
	assert_int_equal(take(&known, &around), 0);
	assert_int_equal(known.struct_size, sizeof(known));
	assert_int_equal(known.a, 7);
	assert_int_equal(known.b, 0);
}

static void newer_options_must_be_zero(void **state)
{
	struct {
		struct grown grown;
		unsigned char rest[8];
	} newer = { { sizeof(newer), 7, 8 }, { 0 } };
	struct grown known;

	(void)state;
	assert_int_equal(take(&known, &newer), 0);
	assert_int_equal(known.struct_size, sizeof(known));
	assert_int_equal(known.b, 8);
	newer.rest[7] = 1;
	assert_int_equal(take(&known, &newer), -E2BIG);
}

static void sizes_of_no_release_are_refused(void **state)
{
	struct grown options = { 0, 0, 0 }, known;

	(void)state;
	assert_int_equal(take(&known, &options), -EINVAL);
	options.struct_size = FIRST - 1;
	assert_int_equal(take(&known, &options), -EINVAL);
	options.struct_size = VMSI_STRUCT_MOST + 1;
	assert_int_equal(take(&known, &options), -E2BIG);
	options.struct_size = SIZE_MAX;
	assert_int_equal(take(&known, &options), -E2BIG);
}

static void older_figures_are_not_passed(void **state)
{
	struct grown around = { sizeof(struct first), 1, 99 };
	const struct grown known = { 0, 7, 8 };

	(void)state;
	vmsi_give_figures(&around, &known, sizeof(known));
	assert_int_equal(around.struct_size, sizeof(struct first));
	assert_int_equal(around.a, 7);
	assert_int_equal(around.b, 99);
}

static void newer_figures_are_zero(void **state)
{
	struct newer {
		struct grown grown;
		size_t newer, behind;
	} around = { { offsetof(struct newer, behind), 1, 2 }, 3, 4 };
	const struct grown known = { 0, 7, 8 };

	(void)state;
	vmsi_give_figures(&around, &known, sizeof(known));
	assert_int_equal(around.grown.a, 7);
	assert_int_equal(around.grown.b, 8);
	assert_int_equal(around.newer, 0);
	assert_int_equal(around.behind, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_size_is_that_of_the_first_struct),
		cmocka_unit_test(older_options_have_defaults),
		cmocka_unit_test(newer_options_must_be_zero),
		cmocka_unit_test(sizes_of_no_release_are_refused),
		cmocka_unit_test(older_figures_are_not_passed),
		cmocka_unit_test(newer_figures_are_zero),
	};

	return cmocka_run_group_tests_name("base_versioned", tests, NULL, NULL);
}
