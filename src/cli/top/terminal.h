/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_TOP_TERMINAL_H
#define VMSI_CLI_TOP_TERMINAL_H

#include "cli/top/draw.h"

/* The terminal, by ncurses: draws composed lines and tells keys. There is one. */

struct vmsi_top_press {
	uint32_t key;          /* or one of these: */
	bool is_click;
	int wheel;             /* lines: -1 up, 1 down */
	unsigned column, line; /* of a click */
};

/* Returns NULL, or why there is no screen, in words that stay. */
const char *vmsi_top_terminal_open(void);

/* How large it is now; it is made larger or smaller where that has changed. */
void vmsi_top_terminal_size(unsigned *width, unsigned *height);

void vmsi_top_terminal_draw(const struct vmsi_top_screen *screen);

/* Get what was pressed. Never waits. False: nothing more. */
bool vmsi_top_terminal_press(struct vmsi_top_press *press);

void vmsi_top_terminal_close(void);

/* Returns NULL, or why the terminal is none for a screen, in words that stay. */
const char *vmsi_top_terminal_check(void);

#endif
