/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TEXT_FIELDS_H
#define VMSI_TEXT_FIELDS_H

#include <stddef.h>
#include <stdint.h>

#include "text/lines.h"
#include "text/scan.h"

/* "Key: value" lines, as in smaps, status and meminfo. */

enum vmsi_field_unit {
	VMSI_FIELD_COUNT, /* a bare number */
	VMSI_FIELD_HEX,   /* the same, in hexadecimal */
	VMSI_FIELD_KIB,   /* a number and "kB", which means 1,024 bytes */
};

/* Which key goes to which uint64_t of a record; KIB fields become bytes. */
struct vmsi_field {
	const char *key;
	size_t offset; /* in the record */
	enum vmsi_field_unit unit;
};

#define VMSI_FIELD(unit, record, key, member) \
	{ key, offsetof(record, member), VMSI_FIELD_##unit }

/*
 * Split a line at its colon. value is what comes after the colon and blanks.
 * Returns 0, or -EPROTO where the line has no key and colon.
 */
int vmsi_field_split(struct vmsi_scan line, struct vmsi_scan *key,
		     struct vmsi_scan *value);

/* Find the value of a key in the lines of a text. Returns false: no such key. */
bool vmsi_field_find(struct vmsi_scan text, const char *key,
		     struct vmsi_scan *value);

/*
 * Put a value where the table says. A key that is not in the table is left
 * alone: kernels add new ones all the time.
 *
 * Returns the index of the key in the table; count where it is not there;
 * -EPROTO where a known key has a value that is not understood.
 */
int vmsi_field_store(const struct vmsi_field *table, size_t count,
		     struct vmsi_scan key, struct vmsi_scan value,
		     void *record);

/*
 * Read a file of such lines, to its end or until all fields of the table were
 * there. *seen has a bit for each that was, bit 0 for the first of the table;
 * the others are as before. The table has fewer than 64 fields.
 *
 * Returns 0; -EPROTO, or -errno of the read.
 */
int vmsi_fields_read(struct vmsi_lines *lines, const struct vmsi_field *table,
		     size_t count, void *record, uint64_t *seen);

#endif
