/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "cli/command.h"

static const struct vmsi_commands *all;

void vmsi_set_commands(const struct vmsi_commands *commands)
{
	all = commands;
}

const struct vmsi_commands *vmsi_all_commands(void)
{
	return all;
}

const struct vmsi_option *vmsi_find_option(const struct vmsi_option *options,
					   const char *name, size_t length)
{
	for (const struct vmsi_option *row = options; row->name; row++)
		if (strlen(row->name) == length &&
		    memcmp(row->name, name, length) == 0)
			return row;
	return NULL;
}
