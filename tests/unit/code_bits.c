/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "code/bits.h"

/* Maps of bits, compared with arrays of bools. */

#define BITS 200

static uint64_t bits[4];
static bool model[BITS];
static uint64_t random_state = 1;

static size_t below(size_t limit)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (size_t)(random_state >> 33) % limit;
}

static size_t next(size_t from, size_t to, bool value)
{
	while (from < to && model[from] != value)
		from++;
	return from;
}

static size_t find(size_t from, size_t to, size_t count, size_t step)
{
	for (size_t at = (from + step - 1) / step * step; at + count <= to;
	     at += step)
		if (next(at, at + count, true) == at + count)
			return at;
	return to;
}

static void change(size_t from, size_t to, bool value)
{
	if (value)
		vmsi_bits_set(bits, from, to);
	else
		vmsi_bits_clear(bits, from, to);
	for (; from < to; from++)
		model[from] = value;
}

static void maps_of_bits_do_as_arrays_of_bools(void **state)
{
	(void)state;
	for (int i = 0; i < 20000; i++) {
		const size_t from = below(BITS + 1);
		const size_t to = from + below(BITS + 1 - from);
		const size_t count = 1 + below(i % 2 ? 5 : 90);
		const size_t step = (size_t)1 << below(4);

		change(from, from + (to - from) / 3, i % 3 == 0);
		assert_int_equal(vmsi_bits_next_set(bits, from, to),
				 next(from, to, true));
		assert_int_equal(vmsi_bits_next_clear(bits, from, to),
				 next(from, to, false));
		assert_int_equal(vmsi_bits_find_clear(bits, from, to, count,
						      step),
				 find(from, to, count, step));
	}
	for (size_t i = 0; i < BITS; i++)
		assert_int_equal(vmsi_bit(bits, i), model[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(maps_of_bits_do_as_arrays_of_bools),
	};

	return cmocka_run_group_tests_name("code_bits", tests, NULL, NULL);
}
