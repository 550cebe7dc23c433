/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_COMPLETION_SCRIPTS_H
#define VMSI_CLI_COMPLETION_SCRIPTS_H

#include <stdio.h>

#include "cli/command.h"

/*
 * The scripts. Each has a part that is the same always, and tables of the commands: the
 * options of each, what each option takes, and what operands are.
 */
void vmsi_completion_write_bash(FILE *stream, const struct vmsi_commands *all);
void vmsi_completion_write_zsh(FILE *stream, const struct vmsi_commands *all);
void vmsi_completion_write_fish(FILE *stream, const struct vmsi_commands *all);

/*
 * Write a text that stands in single quotes.
 *
 * special  characters before which a backslash is put; "" for none.
 * quote    what is written for a single quote.
 */
void vmsi_completion_quote(FILE *stream, const char *text, const char *special,
			   const char *quote);

#endif
