/* SPDX-License-Identifier: MIT */
#include "cli/top/terminal.h"

#include <curses.h>
#include <stdlib.h>
#include <unistd.h>

/* Its macros have the names of common words. */
#include <term.h>

/* An unknown terminal would end the program in initscr. */
const char *vmsi_top_terminal_check(void)
{
	int error;
	bool can_move;

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return "standard input or output is no terminal";
	if (!getenv("TERM") || setupterm(NULL, STDOUT_FILENO, &error) != OK)
		return "this terminal is not known; is TERM right?";
	can_move = cursor_address != NULL && clear_screen != NULL;
	del_curterm(cur_term);
	return can_move ? NULL : "this terminal cannot place its cursor; is TERM "
				 "right?";
}
