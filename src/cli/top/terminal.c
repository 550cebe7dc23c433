/* SPDX-License-Identifier: MIT */
#include "cli/top/terminal.h"

#include <curses.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/output/terminal.h"

/* Milliseconds in which the rest of a key comes that begins as Escape does. */
#define ESCAPE_MS 25
/* Pairs of colours, by style; 0 is the terminal's own. */
enum { PAIR_PLAIN, PAIR_HEADER, PAIR_CURSOR, PAIR_LABEL, PAIR_BAR, PAIR_FULL,
       PAIR_KEY };

static bool has_colours;

/* --- opening ----------------------------------------------------------------------- */

static void set_colours(void)
{
	has_colours = vmsi_colours_are_wanted() && has_colors() && start_color() == OK;
	if (!has_colours)
		return;
	use_default_colors();
	init_pair(PAIR_HEADER, COLOR_BLACK, COLOR_GREEN);
	init_pair(PAIR_CURSOR, COLOR_BLACK, COLOR_CYAN);
	init_pair(PAIR_LABEL, COLOR_CYAN, -1);
	init_pair(PAIR_BAR, COLOR_GREEN, -1);
	init_pair(PAIR_FULL, COLOR_RED, -1);
	init_pair(PAIR_KEY, COLOR_BLACK, COLOR_CYAN);
}

const char *vmsi_top_terminal_open(void)
{
	const char *why = vmsi_top_terminal_check();

	if (why)
		return why;
	if (!newterm(NULL, stdout, stdin))
		return "this terminal is not known; is TERM right?";
	set_escdelay(ESCAPE_MS);
	cbreak();
	noecho();
	nonl();
	curs_set(0);
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	set_colours();
	mousemask(BUTTON1_PRESSED | BUTTON4_PRESSED | BUTTON5_PRESSED, NULL);
	mouseinterval(0);
	return NULL;
}

void vmsi_top_terminal_close(void)
{
	SCREEN *screen = set_term(NULL);

	if (!screen)
		return;
	set_term(screen);
	endwin();
	delscreen(screen);
}

void vmsi_top_terminal_size(unsigned *width, unsigned *height)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row &&
	    size.ws_col && (size.ws_row != LINES || size.ws_col != COLS)) {
		resizeterm(size.ws_row, size.ws_col);
		clearok(curscr, TRUE);
	}
	*width = (unsigned)COLS;
	*height = (unsigned)LINES;
}

/* --- drawing ----------------------------------------------------------------------- */

static attr_t with(short pair, attr_t otherwise)
{
	return has_colours ? (attr_t)COLOR_PAIR(pair) : otherwise;
}

static attr_t attribute(enum vmsi_top_style style)
{
	switch (style) {
	case VMSI_TOP_HEADER:
	case VMSI_TOP_KEY:
		return with(style == VMSI_TOP_KEY ? PAIR_KEY : PAIR_HEADER, A_REVERSE);
	case VMSI_TOP_SORTED:
		return with(PAIR_CURSOR, A_REVERSE | A_BOLD);
	case VMSI_TOP_CURSOR:
		return with(PAIR_CURSOR, A_REVERSE);
	case VMSI_TOP_LABEL:
		return with(PAIR_LABEL, A_BOLD);
	case VMSI_TOP_BAR:
		return with(PAIR_BAR, A_NORMAL);
	case VMSI_TOP_BAR_FULL:
		return with(PAIR_FULL, A_BOLD) | A_BOLD;
	case VMSI_TOP_WARNING:
		return with(PAIR_FULL, A_REVERSE) | A_BOLD;
	case VMSI_TOP_DIM:
		return A_DIM;
	default:
		return A_NORMAL;
	}
}

static void draw_line(const struct vmsi_top_canvas *line)
{
	for (size_t i = 0; i < line->span_count; i++) {
		const size_t begin = line->spans[i].begin;
		const size_t end = i + 1 < line->span_count ?
			line->spans[i + 1].begin : line->length;

		attrset(attribute(line->spans[i].style));
		addnstr(line->bytes + begin, (int)(end - begin));
	}
	attrset(A_NORMAL);
}

void vmsi_top_terminal_draw(const struct vmsi_top_screen *screen)
{
	erase();
	for (unsigned i = 0; i < screen->height; i++) {
		move((int)i, 0);
		draw_line(&screen->lines[i]);
	}
	refresh();
}

/* --- keys -------------------------------------------------------------------------- */

static uint32_t key_of(wint_t code)
{
	static const struct {
		wint_t code;
		uint32_t key;
	} keys[] = {
		{ KEY_UP, VMSI_TOP_KEY_UP },
		{ KEY_DOWN, VMSI_TOP_KEY_DOWN },
		{ KEY_LEFT, VMSI_TOP_KEY_LEFT },
		{ KEY_RIGHT, VMSI_TOP_KEY_RIGHT },
		{ KEY_PPAGE, VMSI_TOP_KEY_PAGE_UP },
		{ KEY_NPAGE, VMSI_TOP_KEY_PAGE_DOWN },
		{ KEY_HOME, VMSI_TOP_KEY_HOME },
		{ KEY_END, VMSI_TOP_KEY_END },
		{ KEY_BACKSPACE, VMSI_TOP_KEY_BACKSPACE },
		{ KEY_ENTER, VMSI_TOP_KEY_ENTER },
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (keys[i].code == code)
			return keys[i].key;
	if (code >= KEY_F(1) && code <= KEY_F(10))
		return VMSI_TOP_KEY_F(code - KEY_F(0));
	return 0;
}

static void take_mouse(struct vmsi_top_press *press)
{
	MEVENT event;

	if (getmouse(&event) != OK)
		return;
	press->is_click = (event.bstate & BUTTON1_PRESSED) != 0;
	press->wheel = event.bstate & BUTTON4_PRESSED ? -1 :
		event.bstate & BUTTON5_PRESSED ? 1 : 0;
	press->column = (unsigned)event.x;
	press->line = (unsigned)event.y;
}

bool vmsi_top_terminal_press(struct vmsi_top_press *press)
{
	wint_t code;
	const int result = get_wch(&code);

	*press = (struct vmsi_top_press){ 0 };
	if (result == ERR)
		return false;
	if (result == KEY_CODE_YES && code == KEY_MOUSE)
		take_mouse(press);
	else if (result == KEY_CODE_YES)
		press->key = key_of(code);
	else
		press->key = code == 0x7f || code == 8 ? VMSI_TOP_KEY_BACKSPACE :
			(uint32_t)code;
	return true;
}
