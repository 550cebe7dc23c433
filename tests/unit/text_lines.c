/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "text_canned.h"

static void expect_line(struct vmsi_lines *lines, const char *text)
{
	struct vmsi_line line;

	assert_int_equal(vmsi_lines_peek(lines, &line), 1);
	assert_int_equal(line.length, strlen(text));
	assert_memory_equal(line.start, text, line.length);
	assert_false(line.cut);
	vmsi_lines_advance(lines, &line);
}

static void expect_cut(struct vmsi_lines *lines, const char *text)
{
	struct vmsi_line line;

	assert_int_equal(vmsi_lines_peek(lines, &line), 1);
	assert_int_equal(line.length, strlen(text));
	assert_memory_equal(line.start, text, line.length);
	assert_true(line.cut);
	vmsi_lines_advance(lines, &line);
}

static void expect_end(struct vmsi_lines *lines, int result)
{
	struct vmsi_line line;

	assert_int_equal(vmsi_lines_peek(lines, &line), result);
	assert_int_equal(vmsi_lines_peek(lines, &line), result);
}

/*
 * Read the text in pieces of each size into buffers of each size that fits a line.
 */
static void lines_survive_any_split(void **state)
{
	static const char text[] = "one\n\ntwenty two\nx\n";
	char buffer[64];

	(void)state;
	for (size_t size = 11; size <= sizeof(buffer); size++) {
		for (size_t chunk = 1; chunk <= sizeof(text); chunk++) {
			struct canned canned = canned_text(text, chunk);
			struct vmsi_lines lines =
				canned_lines(&canned, buffer, size);

			expect_line(&lines, "one");
			expect_line(&lines, "");
			expect_line(&lines, "twenty two");
			expect_line(&lines, "x");
			expect_end(&lines, 0);
		}
	}
}

static void long_line_is_cut_and_the_next_is_whole(void **state)
{
	static const char text[] = "ab\n0123456789abcdef0123456789\nlast\n";
	char buffer[8];

	(void)state;
	for (size_t chunk = 1; chunk <= sizeof(text); chunk++) {
		struct canned canned = canned_text(text, chunk);
		struct vmsi_lines lines =
			canned_lines(&canned, buffer, sizeof(buffer));

		expect_line(&lines, "ab");
		expect_cut(&lines, "01234567");
		expect_line(&lines, "last");
		expect_end(&lines, 0);
	}
}

static void peek_gives_the_same_line_until_advance(void **state)
{
	struct canned canned = canned_text("a\n0123456789\nb\n", 3);
	char buffer[4];
	struct vmsi_lines lines = canned_lines(&canned, buffer, sizeof(buffer));
	struct vmsi_line first, again;

	(void)state;
	expect_line(&lines, "a");
	assert_int_equal(vmsi_lines_peek(&lines, &first), 1);
	assert_int_equal(vmsi_lines_peek(&lines, &again), 1);
	assert_ptr_equal(first.start, again.start);
	assert_int_equal(first.length, again.length);
	assert_int_equal(first.cut, again.cut);
	expect_cut(&lines, "0123");
	expect_line(&lines, "b");
}

static void missing_last_newline_is_a_broken_stream(void **state)
{
	char buffer[8];
	struct canned canned = canned_text("ab\ncd", 2);
	struct vmsi_lines lines = canned_lines(&canned, buffer, sizeof(buffer));

	(void)state;
	expect_line(&lines, "ab");
	expect_end(&lines, -EPROTO);

	canned = canned_text("0123456789", 2);
	lines = canned_lines(&canned, buffer, sizeof(buffer));
	expect_cut(&lines, "01234567");
	expect_end(&lines, -EPROTO);
}

static void read_error_is_passed_on_after_the_lines_before_it(void **state)
{
	char buffer[8];
	struct canned canned = canned_text("ab\ncd", 64);
	struct vmsi_lines lines = canned_lines(&canned, buffer, sizeof(buffer));

	(void)state;
	canned.error = -ESRCH;
	expect_line(&lines, "ab");
	expect_end(&lines, -ESRCH);
}

static void zero_bytes_are_ordinary(void **state)
{
	char buffer[16];
	struct canned canned = { .text = "a\0b\n\0\n", .length = 6, .chunk = 1 };
	struct vmsi_lines lines = canned_lines(&canned, buffer, sizeof(buffer));
	struct vmsi_line line;

	(void)state;
	assert_int_equal(vmsi_lines_peek(&lines, &line), 1);
	assert_int_equal(line.length, 3);
	assert_memory_equal(line.start, "a\0b", 3);
	vmsi_lines_advance(&lines, &line);
	assert_int_equal(vmsi_lines_peek(&lines, &line), 1);
	assert_int_equal(line.length, 1);
	vmsi_lines_advance(&lines, &line);
	expect_end(&lines, 0);
}

static void empty_stream_has_no_lines(void **state)
{
	char buffer[1];
	struct canned canned = canned_text("", 1);
	struct vmsi_lines lines = canned_lines(&canned, buffer, sizeof(buffer));

	(void)state;
	expect_end(&lines, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_survive_any_split),
		cmocka_unit_test(long_line_is_cut_and_the_next_is_whole),
		cmocka_unit_test(peek_gives_the_same_line_until_advance),
		cmocka_unit_test(missing_last_newline_is_a_broken_stream),
		cmocka_unit_test(
			read_error_is_passed_on_after_the_lines_before_it),
		cmocka_unit_test(zero_bytes_are_ordinary),
		cmocka_unit_test(empty_stream_has_no_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
