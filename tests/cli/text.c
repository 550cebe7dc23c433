/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/output/text.h"

static void expect(const char *text, const char *written)
{
	char *buffer = NULL;
	size_t length;
	FILE *stream = open_memstream(&buffer, &length);

	assert_non_null(stream);
	vmsi_write_escaped(stream, text);
	fclose(stream);
	assert_string_equal(buffer, written);
	free(buffer);
}

static void plain_text_is_left_alone(void **state)
{
	(void)state;
	expect("", "");
	expect("/usr/lib/x y.so (deleted)", "/usr/lib/x y.so (deleted)");
	expect("caf\303\251 \342\202\254 \360\237\231\202",
	       "caf\303\251 \342\202\254 \360\237\231\202");
}

static void what_a_terminal_obeys_is_escaped(void **state)
{
	(void)state;
	expect("\033[31m", "\\033[31m");
	expect("a\nb\tc\177", "a\\012b\\011c\\177");
	expect("\302\233m", "\\302\\233m");
	expect("back\\slash", "back\\\\slash");
}

static void what_is_not_seen_is_escaped(void **state)
{
	(void)state;
	expect("a\342\200\256txt", "a\\342\\200\\256txt");
	expect("zero\342\200\213width", "zero\\342\\200\\213width");
	expect("\342\201\246x\342\201\251", "\\342\\201\\246x\\342\\201\\251");
	expect("\357\273\277x", "\\357\\273\\277x");
	/* Letters that are written from the right are seen. */
	expect("\327\251", "\327\251");
}

static void what_needs_escapes_is_told(void **state)
{
	(void)state;
	assert_false(vmsi_needs_escape(""));
	assert_false(vmsi_needs_escape("caf\303\251"));
	assert_true(vmsi_needs_escape("back\\slash"));
	assert_true(vmsi_needs_escape("a\377"));
	assert_true(vmsi_needs_escape("a\342\200\256"));
}

static void broken_utf8_is_escaped(void **state)
{
	(void)state;
	expect("\377a\200", "\\377a\\200");
	expect("\303", "\\303");
	expect("\342\202", "\\342\\202");
	expect("\300\257", "\\300\\257");
	expect("\355\240\200", "\\355\\240\\200");
	expect("\364\220\200\200", "\\364\\220\\200\\200");
}

static void stack_is_written_escaped(void **state)
{
	char *buffer = NULL;
	size_t size = 0;
	FILE *stream = open_memstream(&buffer, &size);

	(void)state;
	assert_non_null(stream);
	vmsi_write_backtrace(stream, "a\033[2J\n\303\nlast", SIZE_MAX);
	vmsi_write_backtrace(stream, "one\ntwo\nthree\n", 2);
	fclose(stream);
	assert_string_equal(buffer, "      a\\033[2J\n      \\303\n"
			    "      last\n      one\n      two\n");
	free(buffer);
}

static void length_is_told_of_well_formed_characters_only(void **state)
{
	(void)state;
	assert_int_equal(vmsi_utf8_length("a"), 1);
	assert_int_equal(vmsi_utf8_length("\303\251"), 2);
	assert_int_equal(vmsi_utf8_length("\342\202\254"), 3);
	assert_int_equal(vmsi_utf8_length("\360\237\231\202"), 4);
	assert_int_equal(vmsi_utf8_length("\200"), 0);
	assert_int_equal(vmsi_utf8_length("\370\210\200\200\200"), 0);
	assert_int_equal(vmsi_utf8_length("\340\200\200"), 0);
	assert_int_equal(vmsi_utf8_length("\360\200\200\200"), 0);
	assert_int_equal(vmsi_utf8_length("\355\277\277"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_text_is_left_alone),
		cmocka_unit_test(what_a_terminal_obeys_is_escaped),
		cmocka_unit_test(what_is_not_seen_is_escaped),
		cmocka_unit_test(what_needs_escapes_is_told),
		cmocka_unit_test(broken_utf8_is_escaped),
		cmocka_unit_test(stack_is_written_escaped),
		cmocka_unit_test(length_is_told_of_well_formed_characters_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
