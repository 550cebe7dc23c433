/* SPDX-License-Identifier: MIT */
#include "procfs/number.h"

#include <errno.h>

#include "procfs/scan.h"

static int parse(const struct vmsi_line *line, uint64_t *number)
{
	struct vmsi_scan scan = vmsi_scan_line(line);

	if (line->cut || !vmsi_scan_decimal(&scan, number) ||
	    vmsi_scan_left(&scan) != 0)
		return -EPROTO;
	return 0;
}

int vmsi_number_read(struct vmsi_lines *lines, uint64_t *number)
{
	struct vmsi_line line;
	uint64_t value;
	int result = vmsi_lines_peek(lines, &line);

	if (result <= 0)
		return result < 0 ? result : -EPROTO;
	result = parse(&line, &value);
	if (result)
		return result;
	vmsi_lines_advance(lines, &line);
	result = vmsi_lines_peek(lines, &line);
	if (result)
		return result < 0 ? result : -EPROTO;
	*number = value;
	return 0;
}
