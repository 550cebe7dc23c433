/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "text/scan.h"

/* The scanner is what all readers of text are built on. */

static struct vmsi_scan scan;

static void begin(const char *text)
{
	scan = vmsi_scan_text(text);
}

static void expect_rest(const char *text)
{
	assert_int_equal(vmsi_scan_left(&scan), strlen(text));
	assert_memory_equal(scan.at, text, strlen(text));
}

static void numbers_are_read_up_to_another_character(void **state)
{
	uint64_t value;

	(void)state;
	begin("18446744073709551615kB");
	assert_true(vmsi_scan_decimal(&scan, &value));
	assert_true(value == UINT64_MAX);
	expect_rest("kB");
	begin("ffffffffffffffffg");
	assert_true(vmsi_scan_hex(&scan, &value));
	assert_true(value == UINT64_MAX);
	expect_rest("g");
	begin("00000000000000000000000000000007");
	assert_true(vmsi_scan_decimal(&scan, &value));
	assert_int_equal(value, 7);
	begin("00000000000000000ffffffffffffffff-");
	assert_true(vmsi_scan_hex(&scan, &value));
	assert_true(value == UINT64_MAX);
	expect_rest("-");
	begin("0a");
	assert_true(vmsi_scan_decimal(&scan, &value));
	expect_rest("a");
}

static void signed_numbers_are_read(void **state)
{
	int64_t value;

	(void)state;
	begin("  -2147483648 7-");
	assert_true(vmsi_scan_signed_column(&scan, &value));
	assert_true(value == INT32_MIN);
	assert_true(vmsi_scan_signed_column(&scan, &value));
	assert_true(value == 7);
	assert_false(vmsi_scan_signed_column(&scan, &value));
	begin("9223372036854775808");
	assert_false(vmsi_scan_signed_column(&scan, &value));
	begin("- 1");
	assert_false(vmsi_scan_signed_column(&scan, &value));
}

static void what_is_no_number_is_refused(void **state)
{
	static const char *const texts[] = {
		"", " ", " 1", "-1", "+1", "x", ".5", "18446744073709551616",
		"99999999999999999999999999999999999999999999999999",
	};
	static const char *const hex_texts[] = {
		"", "A", "G", "-f", " f", "10000000000000000",
		"00010000000000000000", "fffffffffffffffff",
	};
	uint64_t value;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		begin(texts[i]);
		assert_false(vmsi_scan_decimal(&scan, &value));
	}
	for (size_t i = 0; i < sizeof(hex_texts) / sizeof(hex_texts[0]); i++) {
		begin(hex_texts[i]);
		assert_false(vmsi_scan_hex(&scan, &value));
	}
}

/* The scanner must not read behind the end of the text. */
static void nothing_is_read_behind_the_end(void **state)
{
	static const char text[] = "12[34";
	uint64_t value;
	struct vmsi_scan word;

	(void)state;
	scan = (struct vmsi_scan){ text, text + 1 };
	assert_true(vmsi_scan_decimal(&scan, &value));
	assert_int_equal(value, 1);
	assert_false(vmsi_scan_decimal(&scan, &value));
	assert_false(vmsi_scan_char(&scan, '2'));
	assert_false(vmsi_scan_word(&scan, ':', &word));
	assert_false(vmsi_scan_line(&scan, &word));
	assert_true(vmsi_scan_is(&scan, ""));
	scan = (struct vmsi_scan){ text + 2, text + 3 };
	assert_false(vmsi_scan_is_chosen(scan, "3"));
	scan = (struct vmsi_scan){ NULL, NULL };
	assert_false(vmsi_scan_line(&scan, &word));
	assert_false(vmsi_scan_column(&scan, &value));
}

static void columns_are_read_one_after_another(void **state)
{
	uint64_t value;

	(void)state;
	begin("\t7  0\t \t12 -3 4");
	assert_true(vmsi_scan_column(&scan, &value));
	assert_int_equal(value, 7);
	assert_true(vmsi_scan_column(&scan, &value));
	assert_int_equal(value, 0);
	assert_true(vmsi_scan_column(&scan, &value));
	assert_int_equal(value, 12);
	assert_false(vmsi_scan_column(&scan, &value));
}

static void lines_end_with_a_newline_or_the_text(void **state)
{
	struct vmsi_scan line;

	(void)state;
	begin("one\n\nlast");
	assert_true(vmsi_scan_line(&scan, &line));
	assert_true(vmsi_scan_is(&line, "one"));
	assert_true(vmsi_scan_line(&scan, &line));
	assert_true(vmsi_scan_is(&line, ""));
	assert_true(vmsi_scan_line(&scan, &line));
	assert_true(vmsi_scan_is(&line, "last"));
	assert_false(vmsi_scan_line(&scan, &line));
	begin("x\n");
	assert_true(vmsi_scan_line(&scan, &line));
	assert_false(vmsi_scan_line(&scan, &line));
}

static bool is_chosen(const char *setting, const char *word)
{
	return vmsi_scan_is_chosen(vmsi_scan_text(setting), word);
}

static void the_word_in_brackets_is_chosen(void **state)
{
	(void)state;
	assert_true(is_chosen("always [madvise] never\n", "madvise"));
	assert_false(is_chosen("always [madvise] never\n", "always"));
	assert_false(is_chosen("always [madvise] never\n", "never"));
	assert_true(is_chosen("[always] madvise never\n", "always"));
	assert_true(is_chosen("always madvise [never]\n", "never"));
	assert_true(is_chosen("always madvise [never]", "never"));
	assert_true(is_chosen("always within_size advise [deny] force\n",
			      "deny"));
}

static void without_whole_brackets_nothing_is_chosen(void **state)
{
	static const char *const texts[] = {
		"", "\n", "never", "always madvise never\n", "[never", "never]",
		"[ never ]", "[", "]", "[]", "x[never]", "[never]x",
		"\n[never]", "[never always]", "[never)", "[always:",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_false(is_chosen(texts[i], "never"));
		assert_false(is_chosen(texts[i], "always"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_read_up_to_another_character),
		cmocka_unit_test(signed_numbers_are_read),
		cmocka_unit_test(what_is_no_number_is_refused),
		cmocka_unit_test(nothing_is_read_behind_the_end),
		cmocka_unit_test(columns_are_read_one_after_another),
		cmocka_unit_test(lines_end_with_a_newline_or_the_text),
		cmocka_unit_test(the_word_in_brackets_is_chosen),
		cmocka_unit_test(without_whole_brackets_nothing_is_chosen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
