/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_TOP_KEYS_H
#define VMSI_CLI_TOP_KEYS_H

#include <stdint.h>

#include "cli/top/model.h"

/* What the keys do. Keys are characters, or these. */
enum vmsi_top_key {
	VMSI_TOP_KEY_UP = 0x110000,
	VMSI_TOP_KEY_DOWN,
	VMSI_TOP_KEY_LEFT,
	VMSI_TOP_KEY_RIGHT,
	VMSI_TOP_KEY_PAGE_UP,
	VMSI_TOP_KEY_PAGE_DOWN,
	VMSI_TOP_KEY_HOME,
	VMSI_TOP_KEY_END,
	VMSI_TOP_KEY_BACKSPACE,
	VMSI_TOP_KEY_F0,  /* F1 is the next one, and so on to F10 */
};
#define VMSI_TOP_KEY_F(number) (VMSI_TOP_KEY_F0 + (number))
#define VMSI_TOP_KEY_ENTER 10
#define VMSI_TOP_KEY_ESCAPE 27

/*
 * LIST -- F4 --> FILTER -- Enter, Escape --> LIST
 * LIST -- F6 --> SORT   -- Enter, Escape --> LIST
 * LIST -- F1 --> HELP   -- any key ------> LIST
 */
enum vmsi_top_mode {
	VMSI_TOP_LIST,
	VMSI_TOP_FILTER, /* a filter is typed, and works meanwhile */
	VMSI_TOP_SORT,   /* a column is chosen */
	VMSI_TOP_HELP,
};

struct vmsi_top_ui {
	enum vmsi_top_mode mode;
	bool wants_to_quit;
	bool has_chosen;             /* a row is chosen, and the cursor goes with it */
	struct vmsi_top_id chosen;
	size_t cursor, first;        /* lines: where the cursor is, the first one shown */
	size_t page;                 /* lines that are shown at once */
	size_t below;                /* the same in the help: its first line */
	size_t help_lines;           /* how many the help has */
	enum vmsi_top_column column; /* in SORT */
};

/* Press a key. The lines are to be made anew and settled after it. */
void vmsi_top_press(struct vmsi_top_ui *ui, struct vmsi_top_model *model,
		    uint32_t key);

/* Put the cursor on a line, as a mouse does. */
void vmsi_top_point(struct vmsi_top_ui *ui, const struct vmsi_top_model *model,
		    size_t line);

/* Sort by a column, or the other way round where that is done already. */
void vmsi_top_sort_by(struct vmsi_top_model *model, enum vmsi_top_column column);

/* Find the cursor's line among new lines, and have it on the screen. */
void vmsi_top_settle(struct vmsi_top_ui *ui, const struct vmsi_top_model *model);

/* Whether rows can be sorted by a column: there are figures in it. */
bool vmsi_top_can_sort(const struct vmsi_top_model *model,
		       enum vmsi_top_column column);

#endif
