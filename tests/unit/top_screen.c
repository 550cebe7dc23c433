/* SPDX-License-Identifier: MIT */
#include "top_fixture.h"

#include <locale.h>

#include "cli/top/draw.h"

/* What stands on the screen, what keys and clicks do. */

static struct vmsi_top_canvas canvas_lines[64];
static struct vmsi_top_ui ui;
static struct vmsi_top_layout layout;
static struct vmsi_top_screen screen = { .lines = canvas_lines, .title = "all" };

static void draw(unsigned width, unsigned height)
{
	screen.width = width;
	screen.height = height;
	assert_int_equal(vmsi_top_order(&model), 0);
	layout = vmsi_top_layout(&model, width, height);
	ui.page = layout.list;
	ui.help_lines = vmsi_top_help_lines(&model);
	vmsi_top_settle(&ui, &model);
	vmsi_top_draw(&screen, &layout, &model, &ui);
	for (unsigned i = 0; i < height; i++) {
		assert_true(canvas_lines[i].width <= width);
		assert_int_equal(strlen(canvas_lines[i].bytes),
				 canvas_lines[i].length);
	}
}

static void begin_screen(void)
{
	begin();
	ui = (struct vmsi_top_ui){ 0 };
	screen.is_utf8 = false;
}

static void press(uint32_t key)
{
	vmsi_top_press(&ui, &model, key);
	draw(screen.width, screen.height);
}

/* --- text ------------------------------------------------------------------------------ */

static const char *named(const char *name, unsigned most)
{
	static struct vmsi_top_canvas canvas;

	vmsi_top_canvas_begin(&canvas, most, true);
	vmsi_top_put_name(&canvas, name);
	return canvas.bytes;
}

static void names_have_no_controls(void **state)
{
	(void)state;
	assert_string_equal(named("a\033[31m\n\\", 80), "a\\033[31m\\012\\\\");
	/* A control of C1 in UTF-8, bytes that are not UTF-8, one that turns the text. */
	assert_string_equal(named("\xc2\x9b" "x\xff", 80), "\\302\\233x\\377");
	assert_string_equal(named("\xe2\x80\xae" "x", 80), "\\342\\200\\256x");
	assert_string_equal(named("\xe2\x82", 80), "\\342\\202");
}

static void wide_characters_take_two_columns(void **state)
{
	(void)state;
	assert_string_equal(named("\xe6\x97\xa5\xe6\x9c\xac", 3), "\xe6\x97\xa5");
	assert_string_equal(named("\xe6\x97\xa5\xe6\x9c\xac", 4),
			    "\xe6\x97\xa5\xe6\x9c\xac");
	/* One that joins the one before takes none. */
	assert_string_equal(named("e\xcc\x81x", 2), "e\xcc\x81x");
}

static void history_is_drawn_from_low_to_high(void **state)
{
	static const int64_t steady[] = { 1000, 1001, 1000 };
	static const int64_t growing[] = { 0, 50, 100 };
	static const int64_t none[] = { 0, 0 };
	struct vmsi_top_canvas canvas;

	(void)state;
	vmsi_top_canvas_begin(&canvas, 80, false);
	vmsi_top_put_history(&canvas, growing, 3, 5);
	vmsi_top_put(&canvas, "|");
	vmsi_top_put_history(&canvas, steady, 3, 2);
	vmsi_top_put_history(&canvas, none, 2, 2);
	assert_string_equal(canvas.bytes, "  _=#|____");
	vmsi_top_canvas_begin(&canvas, 80, true);
	vmsi_top_put_history(&canvas, growing, 3, 3);
	assert_string_equal(canvas.bytes, "\xe2\x96\x81\xe2\x96\x85\xe2\x96\x88");
	assert_int_equal(canvas.width, 3);
}

static void bars_keep_their_text(void **state)
{
	struct vmsi_top_canvas canvas;

	(void)state;
	vmsi_top_canvas_begin(&canvas, 80, false);
	vmsi_top_put_bar(&canvas, 12, 5, 10, "5/10");
	vmsi_top_put_bar(&canvas, 12, 20, 10, "20/10");
	vmsi_top_put_bar(&canvas, 12, 0, 0, "0/0");
	vmsi_top_put_bar(&canvas, 4, 1, 1, "too long");
	assert_string_equal(canvas.bytes, "[||||| 5/10][|||||20/10][       0/0][||]");
}

/* --- the screen ------------------------------------------------------------------------ */

static void take_three(int64_t more)
{
	for (int i = 0; i < 3; i++) {
		static const char *const three[] = { "one", "two", "three" };
		struct vmsi_top_entry *entry = process(11 + (unsigned)i, 1, three[i],
			((1 + i) << 20) + (i == 1 ? more : 0));

		vmsi_top_set(&entry->figures, VMSI_TOP_WRITABLE, 5 << 20);
		vmsi_top_set(&entry->figures, VMSI_TOP_COMMIT, (4 << 20) + i);
		if (i == 2)
			entry->figures.old = 1u << VMSI_TOP_COMMIT;
		vmsi_top_set(&entry->figures, VMSI_TOP_SWAPPED, 0);
		entry->minor = (uint64_t)more;
	}
	take();
}

static void screens_of_three_sizes(void **state)
{
	(void)state;
	begin_screen();
	take_three(0);
	take_three(1 << 20);
	draw(40, 10);
	assert_string_equal(canvas_lines[0].bytes, "Commit not known");
	assert_string_equal(canvas_lines[3].bytes,
			    "all: 3 rows, commit ~12.0M, +1M/s");
	assert_string_equal(canvas_lines[4].bytes,
			    "    PID   COMMIT RESIDENT NAME          ");
	assert_string_equal(canvas_lines[5].bytes,
			    "     12     4.0M       3M two           ");
	assert_string_equal(canvas_lines[6].bytes, "     13    ~4.0M       3M three");
	assert_string_equal(canvas_lines[9].bytes,
			    "F1Help F4Filter F5Tree F6Sort F10Quit ");
	draw(80, 24);
	assert_string_equal(canvas_lines[4].bytes, "    PID   COMMIT RESIDENT  MINOR/S"
			    "  MAJOR/S GROWTH/S HISTORY  NAME              ");
	assert_string_equal(canvas_lines[7].bytes, "     11       4M       1M  1048576"
			    "        0        0       __ one");
	draw(160, 50);
	assert_string_equal(canvas_lines[6].bytes, "     13    ~4.0M       5M       3M        0"
			    "  1048576        0        0                               __ three");
}

static void sizes_are_exact_on_demand(void **state)
{
	(void)state;
	begin_screen();
	take_three(0);
	draw(80, 24);
	press('B');
	assert_string_equal(canvas_lines[4].bytes, "    PID         COMMIT       RESIDENT"
			    "       GROWTH/S HISTORY  NAME              ");
	assert_memory_equal(canvas_lines[5].bytes, "     13       ~4194306        3145728"
			    "              -        _ three", 66);
	press('B');
	assert_memory_equal(canvas_lines[6].bytes, "     12     4.0M       2M", 25);
}

/* In overcommit mode 0 the limit is no limit. */
static void a_limit_that_does_not_bind_is_no_bar(void **state)
{
	(void)state;
	begin_screen();
	sample.machine = (struct vmsi_top_machine){
		.is_known = true, .tells_mode = true, .mode = 0,
		.meminfo = { .tells_commit = true, .committed = 1 << 30,
			     .commit_limit = UINT64_C(2) << 30 },
	};
	take_three(0);
	draw(80, 24);
	assert_string_equal(canvas_lines[0].bytes,
			    "Commit 1G, and no limit is in force");
	sample.machine.mode = 2;
	take_three(0);
	draw(40, 10);
	assert_string_equal(canvas_lines[0].bytes,
			    "Commit [||||||||||||||||          1G/2G]");
	sample.machine = (struct vmsi_top_machine){ 0 };
}

static void every_size_fits(void **state)
{
	(void)state;
	begin_screen();
	take_three(0);
	for (int mode = VMSI_TOP_LIST; mode <= VMSI_TOP_HELP; mode++)
		for (unsigned width = 1; width < 90; width += 3)
			for (unsigned height = 1; height < 30; height++) {
				ui.mode = (enum vmsi_top_mode)mode;
				draw(width, height);
				assert_int_equal(layout.head + layout.has_headings +
						 layout.list + layout.has_footer,
						 height);
				vmsi_top_click(&ui, &model, &layout, width, height,
					       width / 2, height - 1);
				ui.wants_to_quit = false;
			}
}

static void the_column_that_is_sorted_by_is_always_shown(void **state)
{
	(void)state;
	begin_screen();
	take_three(0);
	model.choice.sort = VMSI_TOP_SWAPPED;
	draw(40, 10);
	assert_non_null(strstr(canvas_lines[4].bytes, "SWAPPED"));
}

static void the_cursor_goes_with_its_row(void **state)
{
	(void)state;
	begin_screen();
	take_three(0);
	draw(80, 24);
	assert_string_equal(line(ui.cursor)->row->name, "three");
	press(VMSI_TOP_KEY_DOWN);
	assert_string_equal(line(ui.cursor)->row->name, "two");
	press('N');
	assert_string_equal(names(), "one two three");
	assert_int_equal(ui.cursor, 1);
	press('I');
	press(VMSI_TOP_KEY_END);
	assert_string_equal(line(ui.cursor)->row->name, "one");
	press(VMSI_TOP_KEY_HOME);
	assert_int_equal(ui.cursor, 0);
	press('I');
	assert_int_equal(ui.cursor, 0);
	assert_string_equal(line(ui.cursor)->row->name, "one");
}

static void a_long_list_scrolls(void **state)
{
	static char many[30][8];

	(void)state;
	begin_screen();
	model.choice.sort = VMSI_TOP_NUMBER;
	for (unsigned i = 0; i < 30; i++) {
		snprintf(many[i], sizeof(many[i]), "p%u", i);
		process(100 + i, 1, many[i], 1);
	}
	take();
	draw(40, 10);
	assert_int_equal(layout.list, 4);
	press(VMSI_TOP_KEY_PAGE_DOWN);
	press(VMSI_TOP_KEY_PAGE_DOWN);
	assert_int_equal(ui.cursor, 6);
	assert_int_equal(ui.first, 3);
	press(VMSI_TOP_KEY_END);
	assert_int_equal(ui.first, 26);
	/* The list becomes shorter. */
	process(100, 1, "p0", 1);
	take();
	draw(40, 10);
	assert_int_equal(ui.cursor, 0);
	assert_int_equal(ui.first, 0);
}

static void a_filter_is_typed(void **state)
{
	(void)state;
	begin_screen();
	take_three(0);
	draw(80, 24);
	press(VMSI_TOP_KEY_F(4));
	press('t');
	press('q');
	assert_false(ui.wants_to_quit);
	press(VMSI_TOP_KEY_BACKSPACE);
	press(0xe9);
	assert_string_equal(model.choice.filter, "t\xc3\xa9");
	press(VMSI_TOP_KEY_BACKSPACE);
	assert_string_equal(model.choice.filter, "t");
	assert_string_equal(names(), "three two");
	assert_non_null(strstr(canvas_lines[23].bytes, "Filter: t_"));
	press('\r');
	assert_int_equal(ui.mode, VMSI_TOP_LIST);
	assert_string_equal(names(), "three two");
	press(VMSI_TOP_KEY_ESCAPE);
	assert_int_equal(model.line_count, 3);
	press('/');
	for (int i = 0; i < 200; i++)
		press('x');
	assert_int_equal(strlen(model.choice.filter), 63);
	press(VMSI_TOP_KEY_ESCAPE);
	assert_string_equal(model.choice.filter, "");
}

static void columns_are_chosen_from_a_menu(void **state)
{
	(void)state;
	begin_screen();
	take_three(0);
	draw(40, 10);
	press(VMSI_TOP_KEY_F(6));
	assert_int_equal(ui.mode, VMSI_TOP_SORT);
	/* Up from the first there are figures of to the name, which is last. */
	press(VMSI_TOP_KEY_UP);
	press(VMSI_TOP_KEY_UP);
	press(VMSI_TOP_KEY_UP);
	assert_int_equal(ui.column, VMSI_TOP_NAME);
	assert_memory_equal(canvas_lines[8].bytes, "> NAME", 6);
	press(VMSI_TOP_KEY_ENTER);
	assert_int_equal(model.choice.sort, VMSI_TOP_NAME);
	/* No row has figures of it. */
	press('K');
	assert_int_equal(model.choice.sort, VMSI_TOP_NAME);
	press('M');
	press('M');
	assert_true(model.choice.is_reversed);
}

static void help_is_left_by_any_key(void **state)
{
	(void)state;
	begin_screen();
	take_three(0);
	draw(40, 10);
	press(VMSI_TOP_KEY_F(1));
	assert_memory_equal(canvas_lines[5].bytes, "F1 h ?", 6);
	press(VMSI_TOP_KEY_DOWN);
	assert_memory_equal(canvas_lines[5].bytes, "F4 / \\", 6);
	for (int i = 0; i < 100; i++)
		press(VMSI_TOP_KEY_PAGE_DOWN);
	assert_memory_equal(canvas_lines[8].bytes, "L  NAME", 7);
	press('q');
	assert_int_equal(ui.mode, VMSI_TOP_LIST);
	assert_false(ui.wants_to_quit);
	press('q');
	assert_true(ui.wants_to_quit);
}

static void clicks_point_sort_and_press(void **state)
{
	(void)state;
	begin_screen();
	take_three(0);
	draw(80, 24);
	vmsi_top_click(&ui, &model, &layout, 80, 24, 30, 6);
	assert_string_equal(line(ui.cursor)->row->name, "two");
	vmsi_top_click(&ui, &model, &layout, 80, 24, 2, 4);
	assert_int_equal(model.choice.sort, VMSI_TOP_NUMBER);
	vmsi_top_click(&ui, &model, &layout, 80, 24, 75, 4);
	assert_int_equal(model.choice.sort, VMSI_TOP_NAME);
	/* Below the last row there is none. */
	vmsi_top_click(&ui, &model, &layout, 80, 24, 2, 15);
	assert_string_equal(model.lines[ui.cursor].row->name, "two");
	vmsi_top_click(&ui, &model, &layout, 80, 24, 8, 23);
	assert_int_equal(ui.mode, VMSI_TOP_FILTER);
}

static void folds_are_made_in_a_tree_alone(void **state)
{
	(void)state;
	begin_screen();
	process(1, 0, "top", 1);
	process(2, 1, "below", 1);
	take();
	draw(80, 24);
	press('-');
	assert_int_equal(model.line_count, 2);
	press('t');
	press(VMSI_TOP_KEY_HOME);
	press('-');
	assert_string_equal(names(), "top");
	assert_non_null(strstr(canvas_lines[5].bytes, "+ top"));
	press(' ');
	assert_string_equal(names(), "top .below");
	assert_non_null(strstr(canvas_lines[6].bytes, "`- below"));
	press('*');
	assert_string_equal(names(), "top");
	press('Z');
	assert_memory_equal(canvas_lines[3].bytes, "FROZEN", 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_have_no_controls),
		cmocka_unit_test(wide_characters_take_two_columns),
		cmocka_unit_test(history_is_drawn_from_low_to_high),
		cmocka_unit_test(bars_keep_their_text),
		cmocka_unit_test(screens_of_three_sizes),
		cmocka_unit_test(sizes_are_exact_on_demand),
		cmocka_unit_test(a_limit_that_does_not_bind_is_no_bar),
		cmocka_unit_test(every_size_fits),
		cmocka_unit_test(the_column_that_is_sorted_by_is_always_shown),
		cmocka_unit_test(the_cursor_goes_with_its_row),
		cmocka_unit_test(a_long_list_scrolls),
		cmocka_unit_test(a_filter_is_typed),
		cmocka_unit_test(columns_are_chosen_from_a_menu),
		cmocka_unit_test(help_is_left_by_any_key),
		cmocka_unit_test(clicks_point_sort_and_press),
		cmocka_unit_test(folds_are_made_in_a_tree_alone),
	};

	/* What is printable, and how wide it is, the locale tells. */
	if (!setlocale(LC_CTYPE, "C.UTF-8")) {
		puts("1..0 # SKIP no locale C.UTF-8");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
