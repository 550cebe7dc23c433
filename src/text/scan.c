/* SPDX-License-Identifier: MIT */
#include "text/scan.h"

#include <string.h>

struct vmsi_scan vmsi_scan_text(const char *text)
{
	return (struct vmsi_scan){ text, text + strlen(text) };
}

static bool is_blank(char character)
{
	return character == ' ' || character == '\t';
}

/* The value of a digit; base for a character that is no digit of that base. */
static unsigned digit_value(char character, unsigned base)
{
	unsigned value = base;

	if (character >= '0' && character <= '9')
		value = (unsigned)(character - '0');
	else if (character >= 'a' && character <= 'f')
		value = (unsigned)(character - 'a') + 10;
	return value < base ? value : base;
}

bool vmsi_scan_begins(const struct vmsi_scan *scan, const char *text)
{
	const size_t length = strlen(text);

	return vmsi_scan_left(scan) >= length &&
		memcmp(scan->at, text, length) == 0;
}

bool vmsi_is_hex_digit(char character)
{
	return digit_value(character, 16) < 16;
}

static bool scan_number(struct vmsi_scan *scan, unsigned base, uint64_t *value)
{
	const char *first = scan->at;
	uint64_t sum = 0;

	for (; scan->at < scan->end; scan->at++) {
		unsigned digit = digit_value(*scan->at, base);

		if (digit == base)
			break;
		if (__builtin_mul_overflow(sum, (uint64_t)base, &sum) ||
		    __builtin_add_overflow(sum, (uint64_t)digit, &sum))
			return false;
	}
	*value = sum;
	return scan->at > first;
}

bool vmsi_scan_hex(struct vmsi_scan *scan, uint64_t *value)
{
	return scan_number(scan, 16, value);
}

bool vmsi_scan_decimal(struct vmsi_scan *scan, uint64_t *value)
{
	return scan_number(scan, 10, value);
}

bool vmsi_scan_column(struct vmsi_scan *scan, uint64_t *value)
{
	vmsi_scan_blanks(scan);
	return vmsi_scan_decimal(scan, value);
}

bool vmsi_scan_signed_column(struct vmsi_scan *scan, int64_t *value)
{
	uint64_t number;
	bool is_negative;

	vmsi_scan_blanks(scan);
	is_negative = scan->at < scan->end && *scan->at == '-';
	scan->at += is_negative;
	if (!vmsi_scan_decimal(scan, &number) || number > INT64_MAX)
		return false;
	*value = is_negative ? -(int64_t)number : (int64_t)number;
	return true;
}

bool vmsi_scan_char(struct vmsi_scan *scan, char wanted)
{
	if (scan->at == scan->end || *scan->at != wanted)
		return false;
	scan->at++;
	return true;
}

void vmsi_scan_blanks(struct vmsi_scan *scan)
{
	while (scan->at < scan->end && is_blank(*scan->at))
		scan->at++;
}

bool vmsi_scan_word(struct vmsi_scan *scan, char final, struct vmsi_scan *word)
{
	word->at = scan->at;
	while (scan->at < scan->end && !is_blank(*scan->at) &&
	       *scan->at != final)
		scan->at++;
	word->end = scan->at;
	return word->at < word->end;
}

bool vmsi_scan_line(struct vmsi_scan *scan, struct vmsi_scan *line)
{
	const size_t left = vmsi_scan_left(scan);
	const char *newline = left ? memchr(scan->at, '\n', left) : NULL;

	*line = (struct vmsi_scan){ scan->at, newline ? newline : scan->end };
	scan->at = newline ? newline + 1 : scan->end;
	return left > 0;
}

bool vmsi_scan_is(const struct vmsi_scan *scan, const char *text)
{
	size_t length = strlen(text);

	return vmsi_scan_left(scan) == length &&
		memcmp(scan->at, text, length) == 0;
}

bool vmsi_scan_is_chosen(struct vmsi_scan setting, const char *word)
{
	struct vmsi_scan one;

	for (; vmsi_scan_word(&setting, '\n', &one); vmsi_scan_blanks(&setting))
		if (vmsi_scan_char(&one, '[') && vmsi_scan_left(&one) > 0 &&
		    one.end[-1] == ']') {
			one.end--;
			return vmsi_scan_is(&one, word);
		}
	return false;
}
