/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "text/number.h"
#include "text_canned.h"

static char buffer[64];

static int read_number(const char *text, uint64_t *number)
{
	struct canned canned = canned_text(text, 3);
	struct vmsi_lines lines = canned_lines(&canned, buffer, sizeof(buffer));

	return vmsi_number_read(&lines, number);
}

static void number_is_read(void **state)
{
	uint64_t number = 5;

	(void)state;
	assert_int_equal(read_number("0\n", &number), 0);
	assert_int_equal(number, 0);
	assert_int_equal(read_number("131072\n", &number), 0);
	assert_int_equal(number, 131072);
	assert_int_equal(read_number("18446744073709551615\n", &number), 0);
	assert_true(number == UINT64_MAX);
}

static void anything_else_leaves_the_result(void **state)
{
	static const char *const texts[] = {
		"", "\n", "1", "-1\n", "+1\n", " 1\n", "1 \n", "1x\n", "0x1\n",
		"1\t2\n", "1\n2\n", "1\n\n", "18446744073709551616\n",
	};
	uint64_t number = 5;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_int_equal(read_number(texts[i], &number), -EPROTO);
		assert_int_equal(number, 5);
	}
}

static void line_that_is_too_long_leaves_the_result(void **state)
{
	char text[sizeof(buffer) + 2];
	uint64_t number = 5;

	(void)state;
	memset(text, '0', sizeof(text));
	memcpy(text + sizeof(text) - 3, "1\n", 3);
	assert_int_equal(read_number(text, &number), -EPROTO);
	assert_int_equal(number, 5);
}

static void read_error_is_passed_on(void **state)
{
	struct canned canned = canned_text("12\n", 3);
	struct vmsi_lines lines = canned_lines(&canned, buffer, sizeof(buffer));
	uint64_t number = 5;

	(void)state;
	canned.error = -EIO;
	assert_int_equal(vmsi_number_read(&lines, &number), -EIO);
	assert_int_equal(number, 5);
}

static void text_is_a_number_as_a_whole(void **state)
{
	uint64_t number = 5;

	(void)state;
	assert_true(vmsi_parse_number("0", &number));
	assert_int_equal(number, 0);
	assert_true(vmsi_parse_number("000018446744073709551615", &number));
	assert_true(number == UINT64_MAX);
}

static void other_texts_are_no_number(void **state)
{
	static const char *const texts[] = {
		"", " ", "1 ", " 1", "+1", "-1", "1\n", "0x1", "1e3", "1.0",
		"18446744073709551616", "184467440737095516150",
	};
	uint64_t number;
	int small;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_false(vmsi_parse_number(texts[i], &number));
		assert_false(vmsi_parse_int(texts[i], &small));
	}
}

static void an_int_is_as_large_as_int_is(void **state)
{
	int number = 5;

	(void)state;
	assert_false(vmsi_parse_int("2147483648", &number));
	assert_false(vmsi_parse_int("4294967297", &number));
	assert_false(vmsi_parse_int("..", &number));
	assert_int_equal(number, 5);
	assert_true(vmsi_parse_int("2147483647", &number));
	assert_int_equal(number, INT_MAX);
	assert_true(vmsi_parse_int("0", &number));
	assert_int_equal(number, 0);
}

static void what_is_written_is_read_again(void **state)
{
	struct vmsi_digits room;
	uint64_t number;

	(void)state;
	assert_string_equal(vmsi_write_digits(&room, 0, 10), "0");
	assert_string_equal(vmsi_write_digits(&room, 0, 16), "0");
	assert_string_equal(vmsi_write_digits(&room, UINT64_MAX, 10),
			    "18446744073709551615");
	assert_string_equal(vmsi_write_digits(&room, UINT64_MAX, 16),
			    "ffffffffffffffff");
	for (unsigned shift = 0; shift < 64; shift++) {
		const uint64_t written = ((uint64_t)1 << shift) - shift % 3;

		assert_true(vmsi_parse_number(
			vmsi_write_digits(&room, written, 10), &number));
		assert_true(number == written);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_is_a_number_as_a_whole),
		cmocka_unit_test(other_texts_are_no_number),
		cmocka_unit_test(an_int_is_as_large_as_int_is),
		cmocka_unit_test(what_is_written_is_read_again),
		cmocka_unit_test(number_is_read),
		cmocka_unit_test(anything_else_leaves_the_result),
		cmocka_unit_test(line_that_is_too_long_leaves_the_result),
		cmocka_unit_test(read_error_is_passed_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
