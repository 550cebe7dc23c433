/* SPDX-License-Identifier: MIT */
#include "text/stat.h"

#include <string.h>

bool vmsi_stat_read(struct vmsi_scan text, struct vmsi_stat *stat)
{
	const size_t length = vmsi_scan_left(&text);
	const char *name = length ? memchr(text.at, '(', length) : NULL;
	const char *end = length ? memrchr(text.at, ')', length) : NULL;
	/* Indices are the numbers of the fields in proc_pid_stat(5). */
	uint64_t *const columns[] = {
		[4] = &stat->parent,
		[9] = &stat->flags,
		[10] = &stat->minor_faults,
		[12] = &stat->major_faults,
		[20] = &stat->threads,
		[22] = &stat->start_time,
		[23] = &stat->mapped,
		[24] = &stat->resident_pages,
		[45] = &stat->data_start,
		[46] = &stat->data_end,
		[47] = &stat->heap_start,
	};
	size_t column = 4;
	struct vmsi_scan word;

	/* The name in brackets may have brackets itself. */
	if (!name || !end || end < name)
		return false;
	*stat = (struct vmsi_stat){ .command = { name + 1, end } };
	text.at = end + 1;
	vmsi_scan_blanks(&text);
	if (!vmsi_scan_word(&text, '\n', &word))
		return false;
	stat->state = *word.at;
	for (; column < sizeof(columns) / sizeof(columns[0]); column++) {
		vmsi_scan_blanks(&text);
		if (!vmsi_scan_word(&text, '\n', &word))
			break;
		if (columns[column])
			(void)vmsi_scan_decimal(&word, columns[column]);
	}
	return true;
}
