/* SPDX-License-Identifier: MIT */
#include "text/number.h"

#include <errno.h>
#include <limits.h>

static bool is_number(struct vmsi_scan scan, uint64_t *number)
{
	return vmsi_scan_decimal(&scan, number) && vmsi_scan_left(&scan) == 0;
}

bool vmsi_parse_number(const char *text, uint64_t *number)
{
	return is_number(vmsi_scan_text(text), number);
}

bool vmsi_parse_int(const char *text, int *number)
{
	uint64_t value;

	if (!vmsi_parse_number(text, &value) || value > INT_MAX)
		return false;
	*number = (int)value;
	return true;
}

int vmsi_number_read(struct vmsi_lines *lines, uint64_t *number)
{
	struct vmsi_line line;
	uint64_t value;
	int result = vmsi_lines_peek(lines, &line);

	if (result <= 0)
		return result < 0 ? result : -EPROTO;
	if (line.cut || !is_number(vmsi_line_scan(&line), &value))
		return -EPROTO;
	vmsi_lines_advance(lines, &line);
	result = vmsi_lines_peek(lines, &line);
	if (result)
		return result < 0 ? result : -EPROTO;
	*number = value;
	return 0;
}

const char *vmsi_write_digits(struct vmsi_digits *digits, uint64_t number,
			      unsigned base)
{
	char *first = digits->text + sizeof(digits->text) - 1;

	*first = '\0';
	do {
		*--first = "0123456789abcdef"[number % base];
		number /= base;
	} while (number > 0);
	return first;
}
