/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/size.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_sizes_have_no_tenth),
		cmocka_unit_test(other_sizes_are_rounded),
		cmocka_unit_test(bytes_are_exact),
		cmocka_unit_test(human_sizes_are_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
