/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/sysmacros.h>

#include <cmocka.h>

#include "text/maps.h"

/* Lines of /proc/PID/maps, and their last column. */

static struct vmsi_maps_line mapping;

static bool is_read(const char *line)
{
	return vmsi_maps_line_read(vmsi_scan_text(line), &mapping);
}

static void all_parts_are_read(void **state)
{
	(void)state;
	assert_true(is_read("55802dd96000-55802dd9c000 r-xp 00002000 fe:01 "
			    "247498                     /usr/bin/head"));
	assert_true(mapping.start == 0x55802dd96000);
	assert_true(mapping.end == 0x55802dd9c000);
	assert_true(mapping.is_readable && mapping.is_executable);
	assert_false(mapping.is_writable || mapping.is_shared);
	assert_int_equal(mapping.offset, 0x2000);
	assert_int_equal(mapping.device, makedev(0xfe, 1));
	assert_int_equal(mapping.inode, 247498);
	assert_true(vmsi_scan_is(&mapping.label, "/usr/bin/head"));
}

static void a_line_may_have_no_label(void **state)
{
	(void)state;
	assert_true(is_read("1000-2000 -w-s 00000000 00:00 0"));
	assert_true(mapping.is_writable && mapping.is_shared);
	assert_false(mapping.is_readable || mapping.is_executable);
	assert_int_equal(vmsi_scan_left(&mapping.label), 0);
	assert_true(is_read("1000-2000 ---p 00000000 00:00 0 "));
	assert_int_equal(vmsi_scan_left(&mapping.label), 0);
	assert_int_equal(mapping.offset + mapping.device + mapping.inode, 0);
	assert_true(is_read("1000-2000 ---p 00000000 00:00 01"));
	assert_int_equal(mapping.inode, 1);
	assert_true(is_read("1000-2000 ---p 00000000 00:00 0     [heap]"));
	assert_true(vmsi_scan_is(&mapping.label, "[heap]"));
}

static void the_largest_numbers_are_read(void **state)
{
	(void)state;
	assert_true(is_read("0-ffffffffffffffff rwxp ffffffffffffffff "
			    "ffffffff:ffffffff 18446744073709551615 x"));
	assert_true(mapping.end == UINTPTR_MAX);
	assert_true(mapping.offset == UINT64_MAX);
	assert_true(mapping.inode == UINT64_MAX);
	assert_true(mapping.device == makedev(UINT32_MAX, UINT32_MAX));
}

static void every_line_that_is_cut_is_refused(void **state)
{
	static const char line[] = "1000-2000 rw-p 00001000 08:01 5 /file";
	struct vmsi_scan scan = vmsi_scan_text(line);
	const size_t inode = sizeof("1000-2000 rw-p 00001000 08:01 ") - 1;

	(void)state;
	for (size_t length = 0; length < sizeof(line); length++) {
		scan.end = line + length;
		assert_int_equal(vmsi_maps_line_read(scan, &mapping),
				 length > inode);
	}
}

static void other_lines_are_refused(void **state)
{
	static const char *const lines[] = {
		" 1000-2000 r--p 00000000 00:00 0 ",
		"1000-1000 r--p 00000000 00:00 0 ",
		"2000-1000 r--p 00000000 00:00 0 ",
		"1000-10000000000000000 r--p 00000000 00:00 0 ",
		"1000-2000  r--p 00000000 00:00 0 ",
		"1000-2000 R--p 00000000 00:00 0 ",
		"1000-2000 r--- 00000000 00:00 0 ",
		"1000-2000 r--ps 00000000 00:00 0 ",
		"1000-2000 r--p 10000000000000000 00:00 0 ",
		"1000-2000 r--p 00000000 100000000:00 0 ",
		"1000-2000 r--p 00000000 00:00 a ",
		"1000-2000 r--p 00000000 00:00 18446744073709551616 ",
		"1000-2000 r--p 00000000 00:00 5/file",
		"1000-2000 r--p 00000000 00:00 5\n",
		"Rss:                   4 kB",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		assert_false(is_read(lines[i]));
}

static void expect_path(const char *label, const char *path, size_t size)
{
	char text[32];

	memset(text, '#', sizeof(text));
	vmsi_label_path(vmsi_scan_text(label), text, size);
	assert_string_equal(text, path);
	for (size_t i = size; i < sizeof(text); i++)
		assert_int_equal(text[i], '#');
}

static void newlines_of_a_path_are_given_back(void **state)
{
	(void)state;
	expect_path("", "", 31);
	expect_path("/a b  c (deleted)", "/a b  c (deleted)", 31);
	expect_path("/new\\012line (deleted)", "/new\nline (deleted)", 31);
	expect_path("\\012\\012", "\n\n", 31);
	expect_path("/\\01", "/\\01", 31);
	expect_path("/\\0123", "/\n3", 31);
	expect_path("/\\\\012", "/\\\n", 31);
	expect_path("/\\011\\134", "/\\011\\134", 31);
}

static void a_long_path_loses_its_end(void **state)
{
	(void)state;
	expect_path("/0123456789", "/012345", 8);
	expect_path("/01234\\0127", "/01234\n", 8);
	expect_path("/012345\\0127", "/012345", 8);
	expect_path("/a", "", 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_parts_are_read),
		cmocka_unit_test(a_line_may_have_no_label),
		cmocka_unit_test(the_largest_numbers_are_read),
		cmocka_unit_test(every_line_that_is_cut_is_refused),
		cmocka_unit_test(other_lines_are_refused),
		cmocka_unit_test(newlines_of_a_path_are_given_back),
		cmocka_unit_test(a_long_path_loses_its_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
