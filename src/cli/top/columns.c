/* SPDX-License-Identifier: MIT */
#include "cli/top/columns.h"

#include <string.h>

const struct vmsi_top_column_info vmsi_top_columns[VMSI_TOP_ORDERS] = {
	[VMSI_TOP_COMMIT] = { "commit", "COMMIT", VMSI_TOP_BYTES, 1, 'C',
		"what the kernel has promised" },
	[VMSI_TOP_WRITABLE] = { "writable", "WRITABLE", VMSI_TOP_BYTES, 6, 'W',
		"private memory that may be written: most of the commit" },
	[VMSI_TOP_RESERVED] = { "reserved", "RESERVED", VMSI_TOP_BYTES, 5, 'V',
		"addresses that are set aside" },
	[VMSI_TOP_RESIDENT] = { "resident", "RESIDENT", VMSI_TOP_BYTES, 0, 'M',
		"what is in memory" },
	[VMSI_TOP_ANONYMOUS] = { "anonymous", "ANON", VMSI_TOP_BYTES, 7, 'A',
		"of that, memory without a file" },
	[VMSI_TOP_FILE] = { "file", "FILE", VMSI_TOP_BYTES, 8, 'O',
		"the rest: of files, and shared memory" },
	[VMSI_TOP_PROPORTIONAL] = { "proportional", "PROPORT", VMSI_TOP_BYTES, 9,
		'P', "resident, each page divided by its users" },
	[VMSI_TOP_SWAPPED] = { "swapped", "SWAPPED", VMSI_TOP_BYTES, 6, 'S',
		"what is in swap instead" },
	[VMSI_TOP_MINOR] = { "minor_faults", "MINOR/S", VMSI_TOP_A_SECOND, 3, 'F',
		"faults a second that read nothing" },
	[VMSI_TOP_MAJOR] = { "major_faults", "MAJOR/S", VMSI_TOP_A_SECOND, 5, 'J',
		"faults a second that had to read" },
	[VMSI_TOP_GROWTH] = { "growth", "GROWTH/S", VMSI_TOP_BYTES_A_SECOND, 2, 'G',
		"what has become resident a second" },
	[VMSI_TOP_MAPPINGS] = { "mappings", "MAPPINGS", VMSI_TOP_COUNT, 10, 'K',
		"how many there are" },
	[VMSI_TOP_NUMBER] = { "pid", "PID", VMSI_TOP_TEXT, 0, 'N',
		"the number of the process" },
	[VMSI_TOP_NAME] = { "name", "NAME", VMSI_TOP_TEXT, 0, 'L',
		"the name" },
};

enum vmsi_top_column vmsi_top_column_find(const char *name)
{
	enum vmsi_top_column column = 0;

	while (column < VMSI_TOP_ORDERS &&
	       strcmp(vmsi_top_columns[column].name, name) != 0)
		column++;
	return column;
}

/* Not every process is walked over, and some of those that are not have most. */
#define OF_WALKS (1u << VMSI_TOP_COMMIT | 1u << VMSI_TOP_PROPORTIONAL)

void vmsi_top_add(struct vmsi_top_figures *sum,
		  const struct vmsi_top_figures *more)
{
	for (enum vmsi_top_column i = 0; i < VMSI_TOP_COLUMNS; i++)
		if (vmsi_top_is_known(more, i))
			sum->of[i] += more->of[i];
	sum->lacking |= more->lacking | (~more->known & OF_WALKS);
	sum->known |= more->known;
	sum->old |= more->old;
}
