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

/* What each character stands for in lower-case hexadecimal, and 1 more: 0 is no digit. */
static const unsigned char digits[256] = {
	['0'] = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10,
	['a'] = 11, 12, 13, 14, 15, 16,
};

/* The value of a digit; one of at least 16 for a character that is none. */
static unsigned digit_value(char character)
{
	return digits[(unsigned char)character] - 1u;
}

bool vmsi_scan_begins(const struct vmsi_scan *scan, const char *text)
{
	const size_t length = strlen(text);

	return vmsi_scan_left(scan) >= length &&
		memcmp(scan->at, text, length) == 0;
}

bool vmsi_is_hex_digit(char character)
{
	return digit_value(character) < 16;
}

/* Whether all characters up to end are zeros. */
static bool are_zeros(const char *at, const char *end)
{
	while (at < end && *at == '0')
		at++;
	return at == end;
}

/* Most of what is read of procfs is these numbers, which long listings wait for. */
bool vmsi_scan_hex(struct vmsi_scan *scan, uint64_t *value)
{
	const char *const first = scan->at, *const end = scan->end, *at = first;
	uint64_t sum = 0;
	unsigned digit;

	for (; at < end && (digit = digit_value(*at)) < 16; at++)
		sum = sum << 4 | digit;
	/* 16 digits fit. */
	if (at - first > 16 && !are_zeros(first, at - 16))
		return false;
	scan->at = at;
	*value = sum;
	return at > first;
}

bool vmsi_scan_decimal(struct vmsi_scan *scan, uint64_t *value)
{
	const char *const first = scan->at, *const end = scan->end, *at = first;
	uint64_t sum = 0;

	for (; at < end; at++) {
		const unsigned digit = digit_value(*at);

		if (digit >= 10)
			break;
		if (__builtin_mul_overflow(sum, (uint64_t)10, &sum) ||
		    __builtin_add_overflow(sum, (uint64_t)digit, &sum))
			return false;
	}
	scan->at = at;
	*value = sum;
	return at > first;
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

void vmsi_scan_blanks(struct vmsi_scan *scan)
{
	const char *at = scan->at, *const end = scan->end;

	while (at < end && is_blank(*at))
		at++;
	scan->at = at;
}

bool vmsi_scan_word(struct vmsi_scan *scan, char final, struct vmsi_scan *word)
{
	const char *const first = scan->at, *const end = scan->end, *at = first;

	while (at < end && !is_blank(*at) && *at != final)
		at++;
	scan->at = at;
	*word = (struct vmsi_scan){ first, at };
	return at > first;
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
