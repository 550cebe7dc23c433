/* SPDX-License-Identifier: MIT */
#include "cli/numbers.h"

#include "text/number.h"

bool vmsi_next_number(DIR *directory, int *number)
{
	const struct dirent *entry;

	while ((entry = readdir(directory)))
		if (vmsi_parse_int(entry->d_name, number))
			return true;
	return false;
}
