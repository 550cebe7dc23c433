/* SPDX-License-Identifier: MIT */
#include "size.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* count units and tenths of one, rounded to what will be shown. */
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
	static const char units[] = "BKMGTPE";
	struct vmsi_size_text size;
	unsigned unit = 0;
	struct amount amount = round_to_unit(bytes, 0);

	/* Rounding can reach the next unit: 1,023.6 K is 1 M. */
	while (amount.count >= 1024 && unit < sizeof(units) - 2) {
		unit++;
		amount = round_to_unit(bytes, unit * 10);
	}
	/* "2.0M" is about 2 M, "2M" is 2 M. */
	if (unit > 0 && amount.count < 100 &&
	    (bytes & (((uint64_t)1 << unit * 10) - 1)) != 0)
		snprintf(size.text, sizeof(size.text), "%" PRIu64 ".%u%c",
			 amount.count, amount.tenths, units[unit]);
	else if (bytes == 0)
		snprintf(size.text, sizeof(size.text), "0");
	else
		snprintf(size.text, sizeof(size.text), "%" PRIu64 "%c",
			 amount.count, units[unit]);
	return size;
}

struct vmsi_size_text vmsi_size_text(uint64_t bytes, enum vmsi_size_style style)
{
	struct vmsi_size_text size;

	if (style == VMSI_SIZE_HUMAN)
		return human(bytes);
	snprintf(size.text, sizeof(size.text), "%" PRIu64, bytes);
	return size;
}

bool vmsi_parse_size(const char *text, size_t *bytes)
{
	static const char units[] = "KMGT";
	const char *unit;
	unsigned shift = 0;
	double amount;
	char *end;

	if ((*text < '0' || *text > '9') && *text != '.')
		return false;
	amount = strtod(text, &end);
	if (*end) {
		unit = strchr(units, *end & ~0x20);
		if (!unit || end[1])
			return false;
		shift = 10 * (unsigned)(unit - units + 1);
	}
	amount *= (double)(1ull << shift);
	/* Of a double's digits no more than this can be trusted. */
	if (!(amount >= 0 && amount < (double)(1ull << 53)))
		return false;
	*bytes = (size_t)amount;
	return true;
}

bool vmsi_size_lacks_unit(const char *text)
{
	return text[strspn(text, "0123456789.")] == '\0';
}

bool vmsi_parse_number(const char *text, char **end, uint64_t *number)
{
	errno = 0;
	*number = strtoull(text, end, 10);
	return *text >= '0' && *text <= '9' && !errno;
}
