/* SPDX-License-Identifier: MIT */
#include "text/size.h"

#include <string.h>

#include "text/number.h"

static const char units[] = "BKMGTPE";
#define UNITS_READ 4 /* K to T */

/* --- read --------------------------------------------------------------- */

/*
 * The bytes of a fraction: of the digits behind the point of a size in this unit.
 * It works from the last digit to the first. Each division may drop its remainder,
 * which would add less than a byte to the whole.
 */
static uint64_t fraction_bytes(struct vmsi_scan digits, uint64_t unit)
{
	uint64_t bytes = 0;

	while (digits.end > digits.at)
		bytes = ((uint64_t)(*--digits.end - '0') * unit + bytes) / 10;
	return bytes;
}

/* The bytes of the unit that the rest of a size names; 0: it names none. */
static uint64_t unit_of(const struct vmsi_scan *scan)
{
	if (vmsi_scan_left(scan) == 0)
		return 1;
	for (unsigned i = 1; i <= UNITS_READ && vmsi_scan_left(scan) == 1; i++)
		if (*scan->at == units[i] || *scan->at == (units[i] | 0x20))
			return (uint64_t)1 << 10 * i;
	return 0;
}

bool vmsi_parse_size(const char *text, enum vmsi_size_form form, size_t *bytes)
{
	struct vmsi_scan scan = vmsi_scan_text(text);
	struct vmsi_scan fraction = { NULL, NULL };
	uint64_t whole = 0, unit, sum;
	bool has_digits = vmsi_scan_decimal(&scan, &whole);

	if (form == VMSI_SIZE_FRACTION && vmsi_scan_char(&scan, '.')) {
		fraction.at = scan.at;
		has_digits |= vmsi_scan_decimal(&scan, &sum);
		fraction.end = scan.at;
	}
	unit = unit_of(&scan);
	if (!has_digits || unit == 0 ||
	    __builtin_mul_overflow(whole, unit, &sum) ||
	    __builtin_add_overflow(sum, fraction_bytes(fraction, unit), &sum))
		return false;
	*bytes = sum;
	return true;
}

bool vmsi_size_lacks_unit(const char *text)
{
	return text[strspn(text, "0123456789.")] == '\0';
}

/* --- written ------------------------------------------------------------ */

/* count units and tenths of one, rounded to what is shown. */
struct amount {
	uint64_t count;
	unsigned tenths;
};

static struct amount round_to_unit(uint64_t bytes, unsigned shift)
{
	uint64_t unit = (uint64_t)1 << shift;
	uint64_t rest = bytes & (unit - 1);
	struct amount amount = { .count = bytes >> shift };

	if (shift == 0)
		return amount;
	if (amount.count >= 100) {
		amount.count += rest >= unit / 2;
		return amount;
	}
	/* rest is below 2^60, so ten times it fits. */
	uint64_t tenths = (rest * 10 + unit / 2) >> shift;

	amount.count += tenths / 10;
	amount.tenths = (unsigned)(tenths % 10);
	return amount;
}

static struct vmsi_size_text human(uint64_t bytes)
{
	struct amount amount = round_to_unit(bytes, 0);
	struct vmsi_size_text size;
	struct vmsi_digits digits;
	unsigned unit = 0;
	char *at;

	/* Rounding may reach the next unit: 1,023.6 K is shown as 1 M. */
	while (amount.count >= 1024 && unit < sizeof(units) - 2) {
		unit++;
		amount = round_to_unit(bytes, unit * 10);
	}
	at = stpcpy(size.text, vmsi_write_digits(&digits, amount.count, 10));
	/* "2M" is exactly 2 M, "2.0M" is rounded. */
	if (unit > 0 && amount.count < 100 &&
	    (bytes & (((uint64_t)1 << unit * 10) - 1)) != 0) {
		*at++ = '.';
		*at++ = (char)('0' + amount.tenths);
	}
	if (bytes > 0)
		*at++ = units[unit];
	*at = '\0';
	return size;
}

struct vmsi_size_text vmsi_size_text(uint64_t bytes, enum vmsi_size_style style)
{
	struct vmsi_size_text size;
	struct vmsi_digits digits;
	const char *number = vmsi_write_digits(&digits, bytes, 10);

	if (style == VMSI_SIZE_HUMAN)
		return human(bytes);
	memcpy(size.text, number, strlen(number) + 1);
	return size;
}
