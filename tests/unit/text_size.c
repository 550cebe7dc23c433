/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "text/size.h"

#define KIB ((uint64_t)1 << 10)
#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)

static void expect(uint64_t bytes, const char *text)
{
	assert_string_equal(vmsi_size_text(bytes, VMSI_SIZE_HUMAN).text, text);
}

static void whole_sizes_have_no_tenth(void **state)
{
	(void)state;
	expect(0, "0");
	expect(1, "1B");
	expect(1023, "1023B");
	expect(KIB, "1K");
	expect(1023 * KIB, "1023K");
	expect(MIB, "1M");
	expect(99 * MIB, "99M");
	expect(GIB, "1G");
	expect((uint64_t)1 << 40, "1T");
	expect((uint64_t)1 << 50, "1P");
	expect((uint64_t)1 << 60, "1E");
	expect((uint64_t)1 << 63, "8E");
}

static void other_sizes_are_rounded(void **state)
{
	(void)state;
	expect(1536, "1.5K");
	expect(KIB + 1, "1.0K");
	expect(1300 * KIB, "1.3M");
	expect(2 * MIB + 1, "2.0M");
	expect(2 * MIB - 1, "2.0M");
	expect(MIB - 1, "1.0M");
	expect(1023 * KIB + 511, "1023K");
	expect(1023 * KIB + 512, "1.0M");
	expect(99 * MIB + 1000 * KIB, "100M");
	expect(100 * MIB + 511 * KIB, "100M");
	expect(100 * MIB + 512 * KIB, "101M");
	expect(GIB - 1, "1.0G");
	expect(UINT64_MAX, "16.0E");
}

static void bytes_are_exact(void **state)
{
	(void)state;
	assert_string_equal(vmsi_size_text(0, VMSI_SIZE_BYTES).text, "0");
	assert_string_equal(vmsi_size_text(UINT64_MAX, VMSI_SIZE_BYTES).text,
			    "18446744073709551615");
}

static void human_sizes_are_short(void **state)
{
	(void)state;
	for (unsigned shift = 0; shift < 64; shift++)
		for (uint64_t less = 0; less < 3; less++) {
			uint64_t bytes = ((uint64_t)1 << shift) - less;
			struct vmsi_size_text size =
				vmsi_size_text(bytes, VMSI_SIZE_HUMAN);

			assert_true(strlen(size.text) <= 5);
		}
}

static void expect_read(const char *text, uint64_t bytes)
{
	size_t read = 5;

	assert_true(vmsi_parse_size(text, VMSI_SIZE_FRACTION, &read));
	assert_true(read == bytes);
}

static void whole_sizes_are_read(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} sizes[] = {
		{ "0", 0 }, { "0T", 0 }, { "4096", 4096 }, { "64K", 64 * KIB },
		{ "200M", 200 * MIB }, { "200m", 200 * MIB }, { "2g", 2 * GIB },
		{ "1T", GIB * KIB }, { "007K", 7 * KIB },
		{ "16777215T", UINT64_MAX - GIB * KIB + 1 },
		{ "18014398509481983K", UINT64_MAX - KIB + 1 },
		{ "18446744073709551615", UINT64_MAX },
	};
	size_t read;

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		expect_read(sizes[i].text, sizes[i].bytes);
		assert_true(vmsi_parse_size(sizes[i].text, VMSI_SIZE_WHOLE,
					    &read));
		assert_true(read == sizes[i].bytes);
	}
}

static void fractions_are_rounded_down_to_bytes(void **state)
{
	size_t read = 5;

	(void)state;
	expect_read("1.5G", GIB + GIB / 2);
	expect_read(".5K", 512);
	expect_read("0.1K", 102);
	expect_read("0.0009K", 0);
	expect_read("0.9999999999999999999K", 1023);
	expect_read("1.000000001T", GIB * KIB + 1099);
	expect_read("5.", 5);
	expect_read("5.9", 5);
	expect_read("18446744073709551615.9", UINT64_MAX);
	assert_false(vmsi_parse_size("1.5G", VMSI_SIZE_WHOLE, &read));
	assert_false(vmsi_parse_size("5.", VMSI_SIZE_WHOLE, &read));
	assert_false(vmsi_parse_size(".5K", VMSI_SIZE_WHOLE, &read));
	assert_int_equal(read, 5);
}

static void other_texts_are_no_size(void **state)
{
	static const char *const texts[] = {
		"", " ", ".", ".K", "K", "x", "-1", "+1", " 1", "1 ", "1K ",
		"1 K", "1KB", "1KK", "1B", "1P", "1E", "1k\n", "1+", "1\v",
		"0x10", "1e3", "1,5K", "1.5.5K", "1.-5", "inf", "nan",
		"18446744073709551616", "16777216T", "18014398509481984K",
		"99999999999999999999999999", "99999999999T",
	};
	size_t read = 5;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_false(vmsi_parse_size(texts[i], VMSI_SIZE_WHOLE, &read));
		assert_false(vmsi_parse_size(texts[i], VMSI_SIZE_FRACTION,
					     &read));
	}
	assert_int_equal(read, 5);
}

static void a_missing_unit_is_seen(void **state)
{
	(void)state;
	assert_true(vmsi_size_lacks_unit("200"));
	assert_true(vmsi_size_lacks_unit("1.5"));
	assert_false(vmsi_size_lacks_unit("200M"));
	assert_false(vmsi_size_lacks_unit("1.5g"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_sizes_are_read),
		cmocka_unit_test(fractions_are_rounded_down_to_bytes),
		cmocka_unit_test(other_texts_are_no_size),
		cmocka_unit_test(a_missing_unit_is_seen),
		cmocka_unit_test(whole_sizes_have_no_tenth),
		cmocka_unit_test(other_sizes_are_rounded),
		cmocka_unit_test(bytes_are_exact),
		cmocka_unit_test(human_sizes_are_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
