/* SPDX-License-Identifier: MIT */
#include "text/fields.h"

#include <errno.h>
#include <string.h>

int vmsi_field_split(struct vmsi_scan line, struct vmsi_scan *key,
		     struct vmsi_scan *value)
{
	if (!vmsi_scan_word(&line, ':', key) || !vmsi_scan_char(&line, ':'))
		return -EPROTO;
	vmsi_scan_blanks(&line);
	*value = line;
	return 0;
}

bool vmsi_field_find(struct vmsi_scan text, const char *key,
		     struct vmsi_scan *value)
{
	struct vmsi_scan line, found;

	while (vmsi_scan_line(&text, &line))
		if (vmsi_field_split(line, &found, value) == 0 &&
		    vmsi_scan_is(&found, key))
			return true;
	return false;
}

static int parse_value(struct vmsi_scan scan, enum vmsi_field_unit unit,
		       uint64_t *result)
{
	uint64_t number;
	bool scanned = unit == VMSI_FIELD_HEX ?
		vmsi_scan_hex(&scan, &number) :
		vmsi_scan_decimal(&scan, &number);

	if (!scanned)
		return -EPROTO;
	if (unit == VMSI_FIELD_KIB) {
		if (__builtin_mul_overflow(number, (uint64_t)1024, &number))
			return -EPROTO;
		vmsi_scan_blanks(&scan);
		if (!vmsi_scan_is(&scan, "kB"))
			return -EPROTO;
	} else if (vmsi_scan_left(&scan) != 0) {
		return -EPROTO;
	}
	*result = number;
	return 0;
}

/* Most keys of a table differ from one that is looked for in their first letter. */
static bool is_key(struct vmsi_scan scan, const char *key)
{
	while (scan.at < scan.end && *key && *key == *scan.at) {
		scan.at++;
		key++;
	}
	return scan.at == scan.end && *key == '\0';
}

int vmsi_field_store(const struct vmsi_field *table, size_t count,
		     struct vmsi_scan key, struct vmsi_scan value,
		     void *record)
{
	size_t i = 0;
	uint64_t number;

	while (i < count && !is_key(key, table[i].key))
		i++;
	if (i < count) {
		int error = parse_value(value, table[i].unit, &number);

		if (error)
			return error;
		memcpy((char *)record + table[i].offset, &number,
		       sizeof(number));
	}
	return (int)i;
}

static int store_line(const struct vmsi_line *line,
		      const struct vmsi_field *table, size_t count,
		      void *record, uint64_t *seen)
{
	struct vmsi_scan key, value;
	int index;

	/* A line that is no key with a colon cannot be of a key in the table. */
	if (vmsi_field_split(vmsi_line_scan(line), &key, &value))
		return 0;
	index = vmsi_field_store(table, count, key, value, record);
	if (index < 0)
		return index;
	if ((size_t)index == count)
		return 0;
	*seen |= (uint64_t)1 << index;
	/* The line did not fit the buffer, so the number may lack digits. */
	return line->cut ? -EPROTO : 0;
}

int vmsi_fields_read(struct vmsi_lines *lines, const struct vmsi_field *table,
		     size_t count, void *record, uint64_t *seen)
{
	const uint64_t all = ((uint64_t)1 << count) - 1;
	struct vmsi_line line;
	int result = 0;

	*seen = 0;
	while (*seen != all && (result = vmsi_lines_peek(lines, &line)) > 0) {
		result = store_line(&line, table, count, record, seen);
		if (result)
			return result;
		vmsi_lines_advance(lines, &line);
	}
	return result < 0 ? result : 0;
}
