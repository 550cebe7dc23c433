/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "text/fields.h"
#include "text_canned.h"

/* Reading "Key: value" lines from a text and from a file. */

struct record {
	uint64_t size, count, bits;
};

static const struct vmsi_field table[] = {
	VMSI_FIELD(KIB, struct record, "VmSize", size),
	VMSI_FIELD(COUNT, struct record, "Threads", count),
	VMSI_FIELD(HEX, struct record, "CapEff", bits),
};

static struct record record;
static uint64_t seen;

static int read_fields(const char *text)
{
	struct canned canned = canned_text(text, 3);
	char buffer[16];
	struct vmsi_lines lines = canned_lines(&canned, buffer, sizeof(buffer));

	record = (struct record){ 1, 2, 3 };
	return vmsi_fields_read(&lines, table, 3, &record, &seen);
}

static void fields_are_stored_and_told(void **state)
{
	(void)state;
	assert_int_equal(read_fields("Name:\tx\nThreads:\t12\n"
				     "VmSize:\t 3 kB\n"), 0);
	assert_int_equal(seen, 3);
	assert_int_equal(record.size, 3072);
	assert_int_equal(record.count, 12);
	assert_int_equal(record.bits, 3);
	assert_int_equal(read_fields(""), 0);
	assert_int_equal(seen, 0);
	assert_int_equal(record.size, 1);
}

/* The line "Groups:" may be longer than any buffer. */
static void longer_lines_of_others_are_passed_over(void **state)
{
	(void)state;
	assert_int_equal(read_fields("Groups:\t1 2 3 4 5 6 7 8 9 10 11 12 13\n"
				     "without a colon in its beginning\n\n"
				     "CapEff:\tff\n"), 0);
	assert_int_equal(seen, 4);
	assert_int_equal(record.bits, 255);
}

static void what_comes_after_the_last_field_is_not_read(void **state)
{
	(void)state;
	assert_int_equal(read_fields("CapEff:\t1\nVmSize:\t1 kB\n"
				     "Threads:\t1\nThreads:\tbroken"), 0);
	assert_int_equal(seen, 7);
	assert_int_equal(record.count, 1);
}

static void values_that_are_not_understood_are_refused(void **state)
{
	static const char *const texts[] = {
		"VmSize:\t3\n", "VmSize:\t3 KB\n", "VmSize:\tkB\n",
		"VmSize:\t18014398509481984 kB\n", "VmSize:\t3 kB x\n",
		"VmSize:\t-3 kB\n", "VmSize:\t123456789 kB\n",
		"Threads:\t\n", "Threads:\t1 2\n", "Threads:\t1\r\n",
		"Threads:\t18446744073709551616\n",
		"CapEff:\t0xff\n", "CapEff:\tFF\n", "Threads:\t1",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_int_equal(read_fields(texts[i]), -EPROTO);
}

static bool find(const char *text, const char *key, const char *wanted)
{
	struct vmsi_scan value;

	return vmsi_field_find(vmsi_scan_text(text), key, &value) &&
		vmsi_scan_is(&value, wanted);
}

static void the_value_of_a_key_is_found_in_a_text(void **state)
{
	static const char text[] =
		"Name:\ta\\nTgid: 1\nUmask:\t0022\nNSpid:\t7\t1\n"
		"Empty:\nno colon\n:\nTgid:\t77\nTgid:\t78\nLast: x";
	struct vmsi_scan value;

	(void)state;
	assert_true(find(text, "Tgid", "77"));
	assert_true(find(text, "NSpid", "7\t1"));
	assert_true(find(text, "Empty", ""));
	assert_true(find(text, "Last", "x"));
	assert_false(vmsi_field_find(vmsi_scan_text(text), "gid", &value));
	assert_false(vmsi_field_find(vmsi_scan_text(text), "Tgi", &value));
	assert_false(vmsi_field_find(vmsi_scan_text(text), "", &value));
	assert_false(vmsi_field_find(vmsi_scan_text(""), "Tgid", &value));
	assert_false(vmsi_field_find(vmsi_scan_text("Tgid"), "Tgid", &value));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_are_stored_and_told),
		cmocka_unit_test(longer_lines_of_others_are_passed_over),
		cmocka_unit_test(what_comes_after_the_last_field_is_not_read),
		cmocka_unit_test(values_that_are_not_understood_are_refused),
		cmocka_unit_test(the_value_of_a_key_is_found_in_a_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
