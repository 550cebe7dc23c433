/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "text/stat.h"

/* Reading /proc/PID/stat, whose second column may contain spaces and brackets. */

static struct vmsi_stat stat_of;

static bool is_read(const char *text)
{
	return vmsi_stat_read(vmsi_scan_text(text), &stat_of);
}

/* Columns 4 to 47, each of which holds its own number, negative ones aside. */
#define COLUMNS \
	"104 105 106 -1 -1 4194368 110 111 112 113 114 115 116 117 -20 119 " \
	"120 121 122 123 124 18446744073709551615 126 127 128 129 130 131 " \
	"132 133 134 135 136 137 138 139 140 141 142 143 144 145 146 147"

static void columns_are_found_by_their_place(void **state)
{
	(void)state;
	assert_true(is_read("7 (sh) S " COLUMNS " 148 149\n"));
	assert_true(vmsi_scan_is(&stat_of.command, "sh"));
	assert_int_equal(stat_of.state, 'S');
	assert_int_equal(stat_of.parent, 104);
	assert_int_equal(stat_of.flags, 4194368);
	assert_int_equal(stat_of.minor_faults, 110);
	assert_int_equal(stat_of.major_faults, 112);
	assert_int_equal(stat_of.mapped, 123);
	assert_int_equal(stat_of.resident_pages, 124);
	assert_int_equal(stat_of.threads, 120);
	assert_int_equal(stat_of.start_time, 122);
	assert_int_equal(stat_of.data_start, 145);
	assert_int_equal(stat_of.data_end, 146);
	assert_int_equal(stat_of.heap_start, 147);
}

static void a_name_may_look_like_columns(void **state)
{
	static const char *const names[] = {
		"", " ", ")", "((", "a) R 1 2 3 (b", ") Z 1 1 1", "x\ny",
	};
	char text[512];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(text, sizeof(text), "7 (%s) S " COLUMNS "\n",
			 names[i]);
		assert_true(is_read(text));
		assert_true(vmsi_scan_is(&stat_of.command, names[i]));
		assert_int_equal(stat_of.state, 'S');
		assert_int_equal(stat_of.parent, 104);
		assert_int_equal(stat_of.heap_start, 147);
	}
}

static void what_an_older_kernel_does_not_tell_is_0(void **state)
{
	(void)state;
	assert_true(is_read("7 (sh) R 104 105\n"));
	assert_int_equal(stat_of.state, 'R');
	assert_int_equal(stat_of.parent, 104);
	assert_int_equal(stat_of.threads, 0);
	assert_int_equal(stat_of.heap_start, 0);
	assert_true(is_read("7 (sh) Z"));
	assert_int_equal(stat_of.state, 'Z');
	assert_int_equal(stat_of.parent, 0);
	assert_true(is_read("7 (sh) R 18446744073709551616\n"));
	assert_int_equal(stat_of.parent, 0);
}

static void other_texts_are_refused(void **state)
{
	static const char *const texts[] = {
		"", "\n", "7", "7 sh S 1", "7 (sh S 1", "7 sh) S 1", ")(",
		"7 (sh)", "7 (sh) ", "7 (sh)\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_false(is_read(texts[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(columns_are_found_by_their_place),
		cmocka_unit_test(a_name_may_look_like_columns),
		cmocka_unit_test(what_an_older_kernel_does_not_tell_is_0),
		cmocka_unit_test(other_texts_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
